"use strict";
// Instants in the browser's zone and language, countdowns that move, filters that act at once. Pages work without it.
(() => {
  const near = { hour: "2-digit", minute: "2-digit", day: "numeric", month: "short" };
  const short = new Intl.DateTimeFormat(undefined, near);
  const withYear = new Intl.DateTimeFormat(undefined, { ...near, year: "numeric" });
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];

  // Countdowns follow the server's clock: a desk computer's may be minutes off.
  const served = document.querySelector('meta[name="aftersail-now"]');
  const offset = served ? Date.parse(served.content) - Date.now() : 0;
  const now = () => new Date(Date.now() + offset);

  const countdown = (due, at) => {
    let rest = Math.floor(Math.abs(due - at) / 1000);
    const parts = [];
    for (const [seconds, unit] of units) {
      const count = Math.floor(rest / seconds);
      rest %= seconds;
      if (count || parts.length) parts.push(count ? `${count} ${unit}` : "");
    }
    const text = parts.slice(0, 2).filter(Boolean).join(" ") || "under 1 min";
    return due < at ? `${text} late` : `in ${text}`;
  };

  const show = () => {
    const at = now();
    for (const time of document.querySelectorAll("time[datetime]")) {
      const instant = new Date(time.dateTime);
      let text;
      if ("countdown" in time.dataset) {
        text = countdown(instant, at);
        if (instant < at && !time.classList.contains("late")) time.classList.add("late");
      } else {
        text = (instant.getFullYear() === at.getFullYear() ? short : withYear).format(instant);
      }
      if (time.textContent !== text) time.textContent = text;
    }
  };

  show();
  setInterval(show, 10000);
  new MutationObserver(show).observe(document.body, { childList: true, subtree: true, characterData: true });
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });
  document.documentElement.classList.add("scripted");
})();
