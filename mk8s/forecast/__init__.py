"""What a run will be like: how long everything takes (`profile`), learnt from earlier runs or given."""
