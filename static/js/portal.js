// Keyboard, menus, copying and dialogs. Everything is declared in the markup by data attributes.
(() => {
  "use strict";

  const typing = (target) => target.closest("input, textarea, select, [contenteditable]") !== null;

  // --- rows of a list: j and k choose, Enter opens ---------------------------------------------------------------
  const rows = () => [...document.querySelectorAll("[data-rows] [data-row]")];
  const chosenRow = () => document.querySelector('[data-row][aria-selected="true"]');

  function choose(row) {
    rows().forEach((other) => other.setAttribute("aria-selected", String(other === row)));
    row.tabIndex = -1;
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const all = rows();
    if (!all.length) return;
    const at = all.indexOf(chosenRow());
    choose(all[at < 0 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + by, 0), all.length - 1)]);
  }

  // A key belongs to the chosen row first, then to the page: <a data-key="a">. It never reaches another row, nor what
  // stands open for another row.
  function deed(key) {
    const selector = `[data-key="${CSS.escape(key)}"]`;
    const row = chosenRow();
    const own = row?.querySelector(selector);
    if (own) return own;
    const other = [...document.querySelectorAll(selector)].find((mark) => !mark.closest("[data-row]"));
    const opened = other?.closest("[data-opened]")?.dataset.opened;
    return row && opened && row.dataset.rowId !== opened ? null : other;
  }

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      const menu = document.querySelector("details.menu[open]");
      if (menu) {
        menu.open = false;
        menu.querySelector("summary").focus();
      } else if (typing(event.target)) {
        event.target.blur();
      }
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) {
      // Done, wherever one is in the form: its main button, once however long the keys are held. Where nothing
      // is to be typed nobody is in the form, and the button that the page is for stands out.
      if (event.repeat) return;
      const button = event.target === document.body
        ? document.querySelector("main .form-actions .btn-lead[type='submit']")
        : event.target.form?.querySelector(".form-actions [type='submit']");
      if (button) {
        event.preventDefault();
        button.click();
      }
      return;
    }
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (typing(event.target) || document.querySelector("dialog[open]")) return;
    const shortcut = document.querySelector(`[data-shortcut="${CSS.escape(event.key)}"]`);
    if (shortcut && shortcut.offsetParent) {
      event.preventDefault();
      shortcut.focus();
      shortcut.select?.();
    } else if (event.key === "j" || event.key === "k") {
      step(event.key === "j" ? 1 : -1);
    } else if (event.key === "Enter" && event.target.matches("[data-row]")) {
      event.preventDefault();
      event.target.querySelector("[data-open]")?.click();
    } else if (event.key.length === 1) {
      deed(event.key)?.click();
    }
  });

  // --- menus close when one looks elsewhere ------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.menu[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  // --- copying -----------------------------------------------------------------------------------------------------
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-target]");
    if (!button) return;
    const source = button.dataset.copyTarget && document.querySelector(button.dataset.copyTarget);
    const text = source ? source.textContent.trim() : button.dataset.copy;
    if (navigator.clipboard) {
      await navigator.clipboard.writeText(text);
    } else {
      // Plain http on a closed network has no clipboard interface.
      const box = Object.assign(document.createElement("textarea"), { value: text });
      document.body.append(box);
      box.select();
      document.execCommand("copy");
      box.remove();
    }
    const word = button.querySelector("[data-copy-word]") || button;
    const before = word.textContent;
    word.textContent = button.dataset.copied;
    setTimeout(() => (word.textContent = before), 2000);
  });

  // --- dialogs -----------------------------------------------------------------------------------------------------
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-dialog]");
    const dialog = opener && document.getElementById(opener.dataset.dialog);
    if (dialog?.showModal) {
      event.preventDefault();
      dialog.showModal();
    } else if (event.target.closest("[data-dialog-close]")) {
      event.preventDefault();
      event.target.closest("dialog").close();
    }
  });

  // --- faults: the summary takes the focus, its links lead into the field --------------------------------------------
  const notice = document.querySelector("[data-focus]");
  notice?.focus();
  // A page that is there to be filled in begins at its first field: <form data-start>. On a phone the keys would cover it.
  if (!notice && !location.hash && window.matchMedia("(hover: hover)").matches) {
    document.querySelector("form[data-start]")?.querySelector("input:not([type='hidden']), select, textarea")?.focus({ preventScroll: true });
  }
  document.addEventListener("click", (event) => {
    const link = event.target.closest(".error-summary a[href^='#']");
    const field = link && document.getElementById(link.hash.slice(1));
    if (!field) return;
    event.preventDefault();
    (field.matches("input, select, textarea") ? field : field.querySelector("input, select, textarea"))?.focus();
    field.closest(".field")?.scrollIntoView({ block: "center" });
  });

  // --- select fields that apply at once: <select data-submit> ---------------------------------------------------------
  document.addEventListener("change", (event) => {
    if (event.target.matches("select[data-submit]")) event.target.form.requestSubmit();
  });

  // --- filters: empty ones stay out of the address -----------------------------------------------------------------------
  document.addEventListener("htmx:configRequest", (event) => {
    if (!event.target.matches("[data-filters]")) return;
    const { parameters } = event.detail;
    Object.keys(parameters).forEach((name) => parameters[name] === "" && delete parameters[name]);
  });

  // --- all boxes of a table: <input type="checkbox" data-check-all="rows"> for name="rows" ----------------------------
  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-check-all]");
    if (!all) return;
    document.querySelectorAll(`input[type="checkbox"][name="${CSS.escape(all.dataset.checkAll)}"]`).forEach((box) => {
      box.checked = all.checked;
    });
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-print]")) window.print();
  });
})();
