// Forms: drafts saved by themselves, files dropped or pasted, one submit only, a warning before typed text is lost.
(() => {
  "use strict";

  const QUIET_MS = 1500;
  const RETRY_MS = [3000, 10000, 30000];
  const clockTime = () => new Date().toTimeString().slice(0, 5);

  // --- one submit only -----------------------------------------------------------------------------------------------
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post" || event.defaultPrevented) return;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    // After the browser has collected the form: a disabled button would not be sent.
    setTimeout(() => form.querySelectorAll('button[type="submit"], button:not([type])').forEach((b) => (b.dataset.busy = "1")));
  });
  const release = (form) => {
    delete form.dataset.sent;
    form.querySelectorAll("[data-busy]").forEach((button) => delete button.dataset.busy);
  };
  window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach(release));

  // --- leaving with unsaved text ---------------------------------------------------------------------------------------
  const unsaved = new Set();
  window.addEventListener("beforeunload", (event) => {
    if (![...unsaved].some((form) => form.isConnected && !form.dataset.sent)) return;
    event.preventDefault();
    event.returnValue = ""; // Chromium before 119 asks only then
  });
  const warnUnsaved = (form) => form.addEventListener("input", () => unsaved.add(form));

  // --- drafts ------------------------------------------------------------------------------------------------------------
  // <form data-autosave-url="…" data-words-saved="已保存 {time}" data-words-saving data-words-offline data-words-login
  //  data-words-restored> with <p data-autosave-status role="status"> inside. The server answers 2xx, if it likes
  //  with {"saved_at": "10:32", "version": 7, "note": "…"}: the version goes into the field of that name, the note
  //  behind the words; 409 with {"message": "…"} when someone else has changed the draft.
  function autosave(form) {
    const status = form.querySelector("[data-autosave-status]");
    const kept = `draft:${form.dataset.autosaveUrl}`;
    let timer = 0;
    let failures = 0;
    let changes = 0;
    let running = null;

    const say = (text, fault = false) => {
      if (!status) return;
      status.textContent = text;
      status.classList.toggle("autosave-fault", fault);
    };
    const fields = () => {
      const data = new FormData(form);
      [...data.entries()].forEach(([name, value]) => value instanceof File && data.delete(name));
      return data;
    };
    const keep = () => {
      try {
        const pairs = [...fields().entries()].filter(([name]) => name !== "csrfmiddlewaretoken");
        sessionStorage.setItem(kept, JSON.stringify(pairs));
      } catch {
        // A full or forbidden store: the text still stands in the page.
      }
    };

    // One after the other: each carries the version that the one before was answered with.
    function save() {
      clearTimeout(timer);
      const turn = (running || Promise.resolve()).then(send).finally(() => {
        if (running === turn) running = null;
      });
      running = turn;
    }

    async function send() {
      if (form.dataset.sent) return;
      const at = changes;
      say(form.dataset.wordsSaving || "");
      let response;
      try {
        response = await fetch(form.dataset.autosaveUrl, {
          method: "POST",
          body: fields(),
          credentials: "same-origin",
          redirect: "manual",
          headers: { Accept: "application/json" },
        });
      } catch {
        response = null;
      }
      if (response?.ok) {
        const answer = await response.json().catch(() => ({}));
        failures = 0;
        if (answer.version && form.elements.version) form.elements.version.value = answer.version;
        const words = (form.dataset.wordsSaved || "{time}").replace("{time}", answer.saved_at || clockTime());
        say(`${words} ${answer.note || ""}`.trim());
        if (at === changes) {
          unsaved.delete(form);
          sessionStorage.removeItem(kept);
        }
        return;
      }
      keep();
      if (response?.status === 409) {
        const answer = await response.json().catch(() => ({}));
        say(answer.message || form.dataset.wordsOffline, true);
        return;
      }
      // A redirect means the login page; a 403 a token that is too old.
      const login = response && (response.type === "opaqueredirect" || response.status === 403);
      say(login ? form.dataset.wordsLogin : form.dataset.wordsOffline, true);
      timer = setTimeout(save, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]);
    }

    form.addEventListener("input", () => {
      changes += 1;
      unsaved.add(form);
      clearTimeout(timer);
      timer = setTimeout(save, QUIET_MS);
    });
    window.addEventListener("online", () => unsaved.has(form) && save());
    document.addEventListener("visibilitychange", () => document.hidden && unsaved.has(form) && save());
    form.addEventListener("submit", (event) => {
      clearTimeout(timer);
      sessionStorage.removeItem(kept);
      if (!running) return;
      // A save is under way: its answer brings the version that this submit has to carry.
      event.preventDefault();
      const submitter = event.submitter;
      const patience = new Promise((resolve) => setTimeout(resolve, 5000));
      Promise.race([running, patience]).then(() => {
        running = null;
        form.requestSubmit(submitter);
      });
    });

    const left = sessionStorage.getItem(kept);
    if (left) {
      restore(form, JSON.parse(left));
      say(form.dataset.wordsRestored || "");
      unsaved.add(form);
      timer = setTimeout(save, QUIET_MS);
    }
  }

  function restore(form, pairs) {
    const values = new Map();
    pairs.forEach(([name, value]) => values.set(name, [...(values.get(name) || []), value]));
    [...form.elements].forEach((element) => {
      if (!element.name || ["hidden", "file", "submit"].includes(element.type)) return;
      const stored = values.get(element.name) || [];
      if (element.type === "checkbox" || element.type === "radio") {
        element.checked = stored.includes(element.value);
      } else if (element.multiple) {
        [...element.options].forEach((option) => (option.selected = stored.includes(option.value)));
      } else if (stored.length) {
        element.value = stored[0];
      }
    });
  }

  // --- files dropped or pasted -----------------------------------------------------------------------------------------
  function size(bytes) {
    return bytes < 1024 * 1024 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
  }

  function filedrop(zone) {
    const input = zone.querySelector('input[type="file"]');
    const list = zone.querySelector(".filedrop-list");
    zone.classList.add("filedrop-ready");
    // A new choice in the dialog replaces; dropped and pasted files are added where several are allowed.
    let chosen = [];

    const show = () => {
      const transfer = new DataTransfer();
      chosen.forEach((file) => transfer.items.add(file));
      input.files = transfer.files;
      list.replaceChildren(
        ...chosen.map((file, index) => {
          const row = document.createElement("li");
          const name = Object.assign(document.createElement("span"), { textContent: file.name });
          const meta = Object.assign(document.createElement("span"), { className: "files-meta", textContent: size(file.size) });
          const remove = Object.assign(document.createElement("button"), {
            type: "button",
            className: "btn btn-plain btn-sm",
            textContent: zone.dataset.wordsRemove,
          });
          remove.setAttribute("aria-label", `${zone.dataset.wordsRemove} ${file.name}`);
          remove.addEventListener("click", () => {
            chosen.splice(index, 1);
            show();
            input.focus();
          });
          row.append(name, meta, remove);
          return row;
        }),
      );
    };
    const add = (files) => {
      if (!files.length) return;
      chosen = input.multiple ? [...chosen, ...files] : [files[0]];
      show();
    };

    input.addEventListener("change", () => {
      chosen = [...input.files];
      show();
    });
    ["dragenter", "dragover"].forEach((name) =>
      zone.addEventListener(name, (event) => {
        event.preventDefault();
        zone.classList.add("filedrop-over");
      }),
    );
    ["dragleave", "drop"].forEach((name) => zone.addEventListener(name, () => zone.classList.remove("filedrop-over")));
    zone.addEventListener("drop", (event) => {
      event.preventDefault();
      add([...event.dataTransfer.files]);
    });
    // A screenshot on the clipboard goes into the file field of its form, wherever the cursor stands in it.
    (input.form || zone).addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files || [])];
      if (!files.length || event.defaultPrevented) return;
      event.preventDefault();
      add(files);
    });
  }

  // --- how much of a limited text is used -------------------------------------------------------------------------------
  // data-limit only counts, so that a longer pasted text is not cut off unseen; maxlength cuts.
  function counter(control) {
    const limit = Number(control.dataset.limit) || control.maxLength;
    const count = Object.assign(document.createElement("span"), { className: "field-count" });
    count.setAttribute("aria-hidden", "true");
    const show = () => {
      const used = [...control.value].length; // characters, as the server counts them
      count.textContent = `${used} / ${limit}`;
      count.classList.toggle("field-count-over", used > limit);
    };
    control.after(count);
    control.addEventListener("input", show);
    show();
  }

  // --- everything above, for the page and for each part that is loaded into it later ------------------------------------
  const parts = [
    ["form[data-warn-unsaved]", warnUnsaved],
    ["form[data-autosave-url]", autosave],
    ["[data-filedrop]", filedrop],
    [".field [data-limit], .field textarea[maxlength], .field input[data-count][maxlength]", counter],
  ];
  const ready = new WeakSet();
  function start(root) {
    parts.forEach(([selector, enhance]) => {
      [root, ...root.querySelectorAll(selector)].forEach((element) => {
        if (!element.matches(selector) || ready.has(element)) return;
        ready.add(element);
        enhance(element);
      });
    });
  }
  start(document.body);
  document.addEventListener("htmx:load", (event) => start(event.detail.elt));
})();
