// The live board: each escalation once, in the order of the log; the browser resumes after a lost connection by itself.
"use strict";
(() => {
  const board = document.getElementById("board");
  if (!board || !window.EventSource) return;
  const rows = board.querySelector("tbody");
  const seen = new Set([...rows.querySelectorAll("tr[data-position]")].map((row) => row.dataset.position));
  const cell = (text, ...children) => {
    const td = document.createElement("td");
    if (text) td.textContent = text;
    td.append(...children);
    return td;
  };
  const source = new EventSource(board.dataset.stream);
  source.addEventListener("escalation", (event) => {
    const one = JSON.parse(event.data);
    if (seen.has(String(one.position))) return;
    seen.add(String(one.position));
    const link = document.createElement("a");
    link.href = one.complaint === "desk" ? board.dataset.duties : `/complaints/${encodeURIComponent(one.complaint)}`;
    link.textContent = one.complaint === "desk" ? one.complaint : one.complaint.slice(0, 8);
    const time = document.createElement("time");
    time.dateTime = one.since;
    time.textContent = new Date(one.since).toLocaleString(document.documentElement.lang, { timeZone: board.dataset.zone });
    const row = document.createElement("tr");
    row.className = "new";
    row.dataset.position = one.position;
    row.append(cell("", time), cell(one.event), cell(one.what), cell([].concat(one.clause ?? []).join(", ")),
      cell([].concat(one.owes ?? []).join(", ")), cell("", link));
    rows.prepend(row);
  });
})();
