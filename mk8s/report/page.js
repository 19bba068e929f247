"use strict";
// Filter and zoom of charts, and everything opened before it is printed. The page is whole without it.
for (const chart of document.querySelectorAll(".gantt")) {
  const tools = chart.querySelector(".tools");
  const plane = chart.querySelector(".plane");
  const lanes = [...chart.querySelectorAll(".lane")];
  const groups = [...chart.querySelectorAll(".group")];
  const said = new Map(lanes.map((lane) => [lane, lane.textContent.toLowerCase()]));
  const fits = (lane) =>
    (!tools.role.value || lane.dataset.role === tools.role.value) &&
    (!tools.state.value || lane.dataset.state === tools.state.value) &&
    (!tools.trouble.checked || lane.querySelector(".dot, .cross") !== null) &&
    said.get(lane).includes(tools.text.value.trim().toLowerCase());
  const filter = () => {
    let shown = 0;
    for (const lane of lanes) {
      lane.hidden = !fits(lane);
      shown += lane.hidden ? 0 : 1;
    }
    for (const group of groups) group.hidden = !group.querySelector(".lane:not([hidden])");
    tools.querySelector("output").value =
      shown === lanes.length ? `${shown} nodes` : `${shown} of ${lanes.length} nodes`;
  };
  tools.addEventListener("input", filter);
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.addEventListener("click", (event) => {
    const factor = event.target.dataset.zoom;
    if (!factor) return;
    plane.style.width = `${100 * factor}%`;
    for (const button of tools.querySelectorAll("[data-zoom]"))
      button.setAttribute("aria-pressed", String(button === event.target));
  });
  tools.hidden = false;
}
addEventListener("beforeprint", () => {
  for (const folded of document.querySelectorAll("details:not([open])")) {
    folded.open = true;
    folded.dataset.opened = "";
  }
});
addEventListener("afterprint", () => {
  for (const folded of document.querySelectorAll("details[data-opened]")) {
    folded.open = false;
    delete folded.dataset.opened;
  }
});
