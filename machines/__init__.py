"""Event-driven finite state machines whose edges declare retry, timeout and error paths.

A machine is a document (docs/machines.md). `load_machine` reads it strictly and tells every mistake
at once; `Table` compiles it; `Supervisor` runs it over a group of members, with a journal that a
stopped run resumes from; `mermaid` and `dot` draw it. What a machine does in the world is bound by
names in a `Registry`. This room knows no Kubernetes, no SSH and no terminal.

Begin reading at `spec`, then `table`, then `supervisor`.
"""

from machines.checks import Problem as Problem
from machines.checks import check as check
from machines.diagrams.dot import dot as dot
from machines.diagrams.mermaid import mermaid as mermaid
from machines.documents import Document as Document
from machines.documents import parse_document as parse_document
from machines.documents import show_path as show_path
from machines.errors import ActionError as ActionError
from machines.errors import DocumentError as DocumentError
from machines.errors import Failure as Failure
from machines.errors import Fault as Fault
from machines.errors import MachineError as MachineError
from machines.files import FileJournal as FileJournal
from machines.files import read_journal as read_journal
from machines.fold import History as History
from machines.fold import HistoryError as HistoryError
from machines.fold import Life as Life
from machines.fold import fold as fold
from machines.forms import duration as duration
from machines.forms import read_form as read_form
from machines.framing import JournalDamaged as JournalDamaged
from machines.interrupts import run_with_signals as run_with_signals
from machines.journal import Journal as Journal
from machines.journal import JournalError as JournalError
from machines.journal import MemoryJournal as MemoryJournal
from machines.loading import load_machine as load_machine
from machines.loading import parse_machine as parse_machine
from machines.lock import JournalLocked as JournalLocked
from machines.logbook import Observer as Observer
from machines.records import Header as Header
from machines.records import Record as Record
from machines.registry import Context as Context
from machines.registry import Member as Member
from machines.registry import Registry as Registry
from machines.spec import Catch as Catch
from machines.spec import EdgeSpec as EdgeSpec
from machines.spec import MachineSpec as MachineSpec
from machines.spec import Retry as Retry
from machines.spec import Seconds as Seconds
from machines.spec import SignalSpec as SignalSpec
from machines.spec import StateSpec as StateSpec
from machines.supervisor import EdgeFailure as EdgeFailure
from machines.supervisor import Result as Result
from machines.supervisor import Supervisor as Supervisor
from machines.table import OutOfPlace as OutOfPlace
from machines.table import Row as Row
from machines.table import Table as Table
