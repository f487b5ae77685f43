// What Gradio leaves to do in the browser: names for screen readers, the theme, and what was asked, kept over a reload.
const filmFinder = {
  KEPT: "film-finder-1",

  // Fields as they were before a reload of this tab; else the page in the browser's language.
  start(fields) {
    try {
      fields = JSON.parse(sessionStorage.getItem(this.KEPT)) || [navigator.language.startsWith("es") ? "es" : "en", ...fields.slice(1)];
    } catch { /* storage that is switched off, or damaged */ }
    this.dress(fields[0]);
    return fields;
  },

  remember(fields) {
    try { sessionStorage.setItem(this.KEPT, JSON.stringify(fields.map((x) => typeof x === "string" ? x.slice(0, 5000) : x))); } catch { }
    this.dress(fields[0]);
    return fields;
  },

  ready() { document.documentElement.dataset.ready = "yes"; },  // tests wait for it

  dress(language) {
    const say = language === "es"
      ? { filters: "Filtros", results: "Resultados", theme: "Cambiar entre claro y oscuro", examples: "Ejemplos" }
      : { filters: "Filters", results: "Results", theme: "Switch between light and dark", examples: "Examples" };
    const set = (where, attributes) => document.querySelectorAll(where).forEach((element) => {
      for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    });
    document.documentElement.lang = language;
    set("#ask", { role: "search" });
    set("#query textarea, #query input", { dir: "auto" });
    set("#status", { role: "status", "aria-live": "polite", "aria-atomic": "true" });
    set("#side", { role: "region", "aria-label": say.filters });
    set("#found", { role: "region", "aria-label": say.results });
    set("#examples", { role: "group", "aria-label": say.examples });
    set("#theme", { "aria-label": say.theme, title: say.theme });
    document.querySelectorAll("fieldset").forEach((field) => {  // Gradio's groups have no legend
      field.setAttribute("aria-label", field.querySelector("[data-testid=block-info]").textContent);
      field.querySelectorAll("input").forEach((input) => input.removeAttribute("title"));  // the English value
    });
    set(".example.en", { lang: "en" });
    set(".example.es", { lang: "es" });
    const theme = document.querySelector("#theme");
    if (theme && !theme.onclick) {
      theme.onclick = () => document.body.classList.toggle("dark");
      const panel = document.querySelector("#filters > button");
      const tell = () => panel.setAttribute("aria-expanded", panel.classList.contains("open"));
      new MutationObserver(tell).observe(panel, { attributeFilter: ["class"] });
      tell();
      if (innerWidth <= 860) panel.click();  // on a phone the films come first
    }
  },
};
