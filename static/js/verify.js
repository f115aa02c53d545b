// A file is checked without being sent: its SHA-256 is made here, and the verification codes in it are found here.
// Without the means (crypto.subtle is none on a page that is not encrypted), without script, or where they fail, the
// file is uploaded and forgotten.
(() => {
  "use strict";
  const form = document.querySelector("form[data-digest]");
  if (!form?.requestSubmit || !globalThis.crypto?.subtle || !globalThis.DecompressionStream) return;

  const file = form.elements.file;
  const told = ["digest", "found", "fault", "size"];
  const CODE = /ZLTB(?:-[0-9A-Z]{5}){3}/g;
  // As on the server (bulletins/checking.py): metadata are small, more would serve nobody.
  const PACKED_LIMIT = 64 * 1024;
  const TEXT_LIMIT = 256 * 1024;
  const STREAMS_LIMIT = 2000;
  const CODES_LIMIT = 100;

  document.getElementById(`${file.id}_helptext`).textContent = form.dataset.wordsHere;

  const text = (bytes) => new TextDecoder("latin1").decode(bytes);

  // As far as it can be unpacked; what follows the packed data is no fault.
  async function unpacked(bytes) {
    const parts = [];
    let size = 0;
    const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    try {
      for (let step = await reader.read(); !step.done && size < TEXT_LIMIT; step = await reader.read()) {
        parts.push(text(step.value));
        size += step.value.length;
      }
    } catch {
      // Not packed so, or packed otherwise.
    }
    return parts.join("");
  }

  async function codesIn(bytes) {
    const whole = text(bytes);
    const found = new Set(whole.match(CODE));
    let streams = 0;
    for (const start of whole.matchAll(/stream\r?\n/g)) {
      if (whole.slice(start.index - 3, start.index) === "end") continue;
      if (++streams > STREAMS_LIMIT || found.size >= CODES_LIMIT) break;
      const from = start.index + start[0].length;
      const end = whole.indexOf("endstream", from);
      const packed = bytes.subarray(from, Math.min(end < 0 ? bytes.length : end, from + PACKED_LIMIT));
      const trimmed = text(packed.subarray(-2)).match(/\r?\n$/)?.[0].length ?? 0;
      for (const code of (await unpacked(packed.subarray(0, packed.length - trimmed))).match(CODE) ?? []) found.add(code);
    }
    return [...found].slice(0, CODES_LIMIT);
  }

  // Too large to be uploaded, where it could not be judged here.
  const tooLarge = (chosen) => chosen.size > Number(form.dataset.limit) && { size: chosen.size };

  async function looked(chosen) {
    if (!chosen.size) return { fault: "empty" };
    let bytes;
    try {
      bytes = new Uint8Array(await chosen.arrayBuffer());
    } catch {
      return tooLarge(chosen) || { fault: "unreadable" }; // a folder, or moved meanwhile
    }
    if (!text(bytes.subarray(0, 1024)).includes("%PDF-")) return { fault: "not_pdf" };
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return {
      digest: [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
      found: (await codesIn(bytes)).join(" "),
    };
  }

  let uploads = false;
  // Before the form is marked as sent (forms.js), which it is not yet.
  document.addEventListener(
    "submit",
    async (event) => {
      if (event.target !== form || !file.files.length || file.disabled || uploads) return;
      event.preventDefault();
      const button = form.querySelector("[type=submit]");
      if (button.dataset.busy) return;
      button.dataset.busy = "1";
      const chosen = file.files[0];
      const answer = await looked(chosen).catch(() => tooLarge(chosen));
      told.forEach((name) => (form.elements[name].value = answer[name] ?? ""));
      uploads = !answer;
      file.disabled = !uploads; // so that it stays here
      setTimeout(() => form.requestSubmit()); // not while it is still being submitted
    },
    true,
  );
  window.addEventListener("pageshow", () => {
    file.disabled = uploads = false;
    told.forEach((name) => (form.elements[name].value = ""));
  });
})();
