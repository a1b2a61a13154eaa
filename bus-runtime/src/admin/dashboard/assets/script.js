// What makes pages live and quick. Without it they still say everything: reload to see what is new.
"use strict";
(() => {
  const root = document.documentElement;
  const theme = localStorage.getItem("theme");
  if (theme) root.dataset.theme = theme;
  const flip = () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
  };

  // Parts of the page that carry data-live are fetched anew at each tick, and replaced where they have changed.
  const parts = () => [...document.querySelectorAll("[data-live]")];
  const pill = document.getElementById("live");
  let paused = false, source = null, busy = false;
  const say = (text, kind) => { if (pill) { pill.textContent = text; pill.className = "pill " + kind; } };
  const refresh = async () => {
    if (busy || !parts().length || document.querySelector("[data-live] :focus:is(input,select,textarea)")) return;
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of parts()) {
        const other = fresh.getElementById(part.id);
        if (other && other.innerHTML !== part.innerHTML) part.innerHTML = other.innerHTML;
      }
      relative();
    } finally { busy = false; }
  };

  const rows = document.getElementById("live-rows");
  const ROWS_MAX = 300;
  const add = (html) => {
    const holder = document.createElement("tbody");
    holder.innerHTML = html;
    for (const row of [...holder.children]) {
      row.classList.add("fresh");
      rows.prepend(row);
    }
    while (rows.children.length > ROWS_MAX) rows.lastElementChild.remove();
    document.getElementById("live-empty")?.remove();
  };

  const connect = () => {
    if (source || paused || document.hidden || !pill) return;
    const topics = rows ? "stats,messages" : "stats";
    const filter = new URLSearchParams(location.search).get("where");
    source = new EventSource("/api/v1/events?topics=" + topics + "&rows=1" + (filter ? "&where=" + encodeURIComponent(filter) : ""));
    source.addEventListener("open", () => say("live", "good"));
    source.addEventListener("stats", refresh);
    source.addEventListener("row", (event) => rows && add(JSON.parse(event.data)));
    source.addEventListener("error", () => say("reconnecting", "warn"));
  };
  const disconnect = () => { source?.close(); source = null; };
  const pause = () => {
    paused = !paused;
    if (paused) { disconnect(); say("paused", ""); } else connect();
  };
  document.addEventListener("visibilitychange", () => document.hidden ? disconnect() : connect());
  document.getElementById("pause")?.addEventListener("click", pause);
  document.getElementById("theme")?.addEventListener("click", flip);

  // Times are relative on the page and absolute on hover.
  const spell = (seconds) => {
    const s = Math.max(0, Math.round(seconds));
    if (s < 60) return s + " s ago";
    if (s < 3600) return Math.floor(s / 60) + " min ago";
    if (s < 86400) return Math.floor(s / 3600) + " h ago";
    return Math.floor(s / 86400) + " d ago";
  };
  const relative = () => {
    for (const time of document.querySelectorAll("time[datetime]"))
      time.textContent = spell((Date.now() - Date.parse(time.dateTime)) / 1000);
  };
  relative();
  setInterval(relative, 10000);

  // Things are copied with one click.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy)?.textContent ?? "";
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(document.getElementById(button.dataset.copy)); }
    setTimeout(() => { button.textContent = button.dataset.label; }, 1500);
  });

  // Whatever destroys asks first; the form says what.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !confirm(question)) event.preventDefault();
  });

  // The keyboard.
  const go = { o: "/", h: "/handlers", q: "/queues", l: "/live", f: "/failures", d: "/dead-letters", t: "/topology", r: "/route", p: "/publish", w: "/workers", s: "/docs" };
  let prefix = false;
  const step = (by) => {
    const all = [...document.querySelectorAll("main tbody tr")];
    if (!all.length) return;
    const at = all.findIndex((row) => row.classList.contains("at"));
    all[at]?.classList.remove("at");
    const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
    next.classList.add("at");
    next.scrollIntoView({ block: "nearest" });
  };
  const help = document.getElementById("help");
  document.getElementById("keys")?.addEventListener("click", () => help?.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input,textarea,select")) return;
    if (prefix) { prefix = false; if (go[event.key]) location.href = go[event.key]; return; }
    switch (event.key) {
      case "g": prefix = true; setTimeout(() => { prefix = false; }, 1200); return;
      case "/": { const box = document.querySelector("main input[type=search]") ?? document.querySelector(".top input"); box?.focus(); event.preventDefault(); return; }
      case "?": help?.showModal(); return;
      case "t": flip(); return;
      case "p": pause(); return;
      case "r": document.querySelector("[data-key=r]")?.click(); return;
      case "j": step(1); return;
      case "k": step(-1); return;
      case "Enter": { const link = document.querySelector("main tr.at a"); if (link && event.target === document.body) location.href = link.href; return; }
    }
  });
  connect();
})();
