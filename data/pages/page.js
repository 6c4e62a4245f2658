"use strict";
(() => {
  const root = document.documentElement;

  // Light, dark, or as the system has it.
  const themes = ["auto", "light", "dark"];
  const kept = () => { try { return localStorage.getItem("docmill-theme") || "auto"; } catch { return "auto"; } };
  const wear = (theme) => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${theme}`;
  };
  wear(kept());

  // A column's header sorts its table: by numbers where cells carry them, else by words.
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.v === undefined ? cell.textContent.trim() : cell.dataset.v === "" ? null : Number(cell.dataset.v);
  };
  const compare = (a, b) => {
    if (a === null || b === null) return 0;
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });
  };
  const sort = (table, column, direction) => {
    const body = table.tBodies[0];
    const sign = direction === "ascending" ? 1 : -1;
    const rows = [...body.rows].map((row) => [value(row, column), row]);
    // What isn't known comes last, whichever the direction.
    rows.sort(([a], [b]) => (a === null) - (b === null) || sign * compare(a, b));
    body.append(...rows.map(([, row]) => row));
    [...table.tHead.rows[0].cells].forEach((head, number) => {
      if (number === column) head.setAttribute("aria-sort", direction); else head.removeAttribute("aria-sort");
    });
  };
  const sortable = (scope) => {
    for (const table of scope.querySelectorAll("table.sortable")) {
      [...table.tHead.rows[0].cells].forEach((head, column) => {
        const button = document.createElement("button");
        button.type = "button";
        button.append(...head.childNodes);
        head.append(button);
        button.addEventListener("click", () => {
          const first = head.classList.contains("n") ? "descending" : "ascending";
          const other = first === "ascending" ? "descending" : "ascending";
          sort(table, column, head.getAttribute("aria-sort") === first ? other : first);
        });
      });
    }
  };
  sortable(document);

  // What a mark in a chart says, beside the pointer.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);
  document.addEventListener("pointermove", (event) => {
    const mark = event.target.closest && event.target.closest("svg [aria-label], svg [data-say]");
    const words = mark && (mark.dataset.say || mark.getAttribute("aria-label"));
    tip.hidden = !words;
    if (!words) return;
    tip.textContent = words;
    const { width, height } = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - width - 8))}px`;
    tip.style.top = `${event.clientY + 16 + height > innerHeight ? event.clientY - height - 10 : event.clientY + 16}px`;
  });

  document.addEventListener("click", (event) => {
    if (event.target.id !== "theme") return;
    const theme = themes[(themes.indexOf(kept()) + 1) % themes.length];
    try { localStorage.setItem("docmill-theme", theme); } catch { /* it lasts as long as the page */ }
    wear(theme);
  });

  // A live page takes its news in place: order, open details and the reader's place stay.
  const seconds = Number(root.dataset.live || 0);
  if (!seconds) return;
  const order = (table) => {
    const heads = [...table.tHead.rows[0].cells];
    const column = heads.findIndex((head) => head.hasAttribute("aria-sort"));
    return column < 0 ? null : [column, heads[column].getAttribute("aria-sort")];
  };
  const renew = async () => {
    const state = document.getElementById("news");
    try {
      const reply = await fetch(location.href, { cache: "no-store" });
      if (!reply.ok) throw new Error(reply.status);
      const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
      const main = document.importNode(fresh.querySelector("main"), true);
      const old = document.querySelector("main");
      const orders = [...old.querySelectorAll("table.sortable")].map(order);
      const open = [...old.querySelectorAll("details")].map((one) => one.open);
      const slid = [...old.querySelectorAll(".scroll")].map((one) => one.scrollLeft);
      const had = [...old.querySelectorAll("a, button, summary, [tabindex]")].indexOf(document.activeElement);
      sortable(main);
      old.replaceWith(main);
      main.querySelectorAll("table.sortable").forEach((table, number) => orders[number] && sort(table, ...orders[number]));
      main.querySelectorAll("details").forEach((one, number) => { one.open = open[number] || false; });
      main.querySelectorAll(".scroll").forEach((one, number) => { one.scrollLeft = slid[number] || 0; });
      const again = had >= 0 && main.querySelectorAll("a, button, summary, [tabindex]")[had];
      if (again) again.focus({ preventScroll: true });
      document.title = fresh.title;
      state.textContent = `as of ${new Date().toLocaleTimeString()}`;
    } catch {
      state.textContent = "no answer: the page shows what was known last";
    }
  };
  setInterval(() => { if (!document.hidden) renew(); }, seconds * 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) renew(); });
})();
