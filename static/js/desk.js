// The desk: a row beside its list on wide screens, the selection, and forms that grow.
(() => {
  "use strict";

  const wide = window.matchMedia("(min-width: 1200px)");
  const beside = () => document.getElementById("beside");

  // --- beside the list: <a href="page of its own" data-beside="address of the fragment"> -----------------------------
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-beside]");
    if (!link || !beside() || !wide.matches) return;
    if (event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    document.querySelector("[data-desk]").classList.add("desk-opened");
    htmx.ajax("GET", link.dataset.beside, { target: "#beside", swap: "innerHTML" });
  });

  // A refused or stale move answers with the reason in place of the form.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "beside" && [403, 409].includes(event.detail.xhr.status)) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  // --- the opened row is the chosen one -------------------------------------------------------------------------------
  function mark(focus) {
    const opened = document.querySelector("[data-opened]")?.dataset.opened;
    if (!opened) return;
    document.querySelectorAll("[data-row]").forEach((row) => {
      const here = row.dataset.rowId === opened;
      row.setAttribute("aria-selected", String(here));
      if (!here) return;
      row.tabIndex = -1;
      if (focus) row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    });
  }
  // Of a group of choices the one that is chosen already.
  function firstField(form) {
    const first = form.querySelector("summary, textarea, input:not([type='hidden'])");
    return (first?.type === "radio" && form.querySelector(`input[name="${CSS.escape(first.name)}"]:checked`)) || first;
  }
  // At once and not when all has settled: a key pressed between the two has chosen another row already.
  document.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    if (target.id === "beside") {
      target.scrollTop = 0;
      if (target.querySelector("[data-opened]")) mark(true);
    } else if (document.querySelector("[data-desk]")) {
      mark(true);
      count();
    }
  });
  // A form takes the focus when it is ready to be sent.
  document.addEventListener("htmx:afterSettle", (event) => {
    const target = event.detail.target;
    if (target.id !== "beside" || target.querySelector("[data-opened]")) return;
    (target.querySelector(".error-summary, [autofocus]") || firstField(target))?.focus();
  });
  mark(wide.matches);

  // --- selection -------------------------------------------------------------------------------------------------------
  function count() {
    const bar = document.querySelector("[data-bulk]");
    if (!bar) return;
    const n = document.querySelectorAll('input[name="row"]:checked').length;
    bar.hidden = n === 0;
    bar.querySelector("[data-bulk-count]").textContent = bar.dataset.words.replace("{n}", n);
  }
  document.addEventListener("change", count);
  window.addEventListener("pageshow", count);
  count();

  // x chooses the row for the selection.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "x" || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const box = document.querySelector('[data-row][aria-selected="true"] input[name="row"]');
    if (box) {
      box.checked = !box.checked;
      count();
    }
  });

  // --- forms that grow: <button data-add-row="evidence"> with <template id="evidence-template"> --------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-add-row]");
    if (!button) return;
    event.preventDefault();
    const name = button.dataset.addRow;
    const total = document.getElementById(`move_${name}-TOTAL_FORMS`);
    const limit = Number(document.getElementById(`move_${name}-MAX_NUM_FORMS`).value);
    const number = Number(total.value);
    if (number >= limit) return;
    const rows = document.getElementById(`${name}-rows`);
    rows.insertAdjacentHTML("beforeend", document.getElementById(`${name}-template`).innerHTML.replaceAll("__prefix__", number));
    total.value = number + 1;
    rows.lastElementChild.querySelector("select, input")?.focus();
  });

  // --- <button data-fill="id of a field" data-value="…"> -----------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-fill]");
    const field = button && document.getElementById(button.dataset.fill);
    if (!field) return;
    event.preventDefault();
    field.value = button.dataset.value;
    field.dispatchEvent(new Event("change", { bubbles: true }));
  });
})();
