// Locked figures that look locked: ⟦2:952⟧ in the text becomes a piece that is moved as a whole and not typed into.
// The textarea stays the field that is sent; without script one edits there.
(() => {
  "use strict";
  const FIGURE = /⟦(\d+):([^⟦⟧]*)⟧/g;

  const piece = (number, words) => {
    const chip = document.createElement("span");
    chip.className = "locked";
    chip.contentEditable = "false";
    chip.dataset.figure = number;
    chip.textContent = words;
    return chip;
  };
  const fill = (surface, text) => {
    surface.replaceChildren();
    let end = 0;
    for (const found of text.matchAll(FIGURE)) {
      surface.append(text.slice(end, found.index), piece(found[1], found[2]));
      end = found.index + found[0].length;
    }
    surface.append(text.slice(end));
  };
  const read = (node) =>
    [...node.childNodes]
      .map((child) => {
        if (child.nodeType === Node.TEXT_NODE) return child.data;
        if (child.dataset && child.dataset.figure) return `⟦${child.dataset.figure}:${child.textContent}⟧`;
        return child.nodeName === "BR" ? "" : read(child);
      })
      .join("");

  const dress = (field) => {
    field.removeAttribute("data-wording");
    const surface = document.createElement("div");
    surface.className = "form-control wording";
    surface.contentEditable = "true";
    surface.setAttribute("role", "textbox");
    surface.setAttribute("aria-multiline", "true");
    surface.setAttribute("aria-label", field.labels[0]?.textContent ?? "");
    for (const name of ["aria-invalid", "aria-describedby"]) {
      if (field.hasAttribute(name)) surface.setAttribute(name, field.getAttribute(name));
    }
    fill(surface, field.value);
    surface.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
    surface.addEventListener("paste", (event) => {
      event.preventDefault();
      const words = event.clipboardData.getData("text/plain").replace(/\s*\n\s*/g, "");
      document.execCommand("insertText", false, words);
    });
    surface.addEventListener("input", () => {
      field.value = read(surface);
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    field.labels[0]?.addEventListener("click", () => surface.focus());
    field.hidden = true;
    field.after(surface);
  };
  const dressAll = (root) => root.querySelectorAll("textarea[data-wording]").forEach(dress);
  dressAll(document);
  document.addEventListener("htmx:load", (event) => dressAll(event.target.parentNode ?? document));
})();
