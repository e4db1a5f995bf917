// Renders openapi.json with Redoc in the colours of the welcome page, light or dark as the system is.
"use strict";

const sans = "system-ui, sans-serif";
const mono = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace";
const light = {
  ink: "#1b1a18", soft: "#5f5a52", raised: "#ebe5d9", line: "#d9d1c2",
  mark: "#c2410c", chosen: "#c2410c", good: "#1a6b2e", bad: "#a3210f",
};
const dark = {
  ink: "#ece7dd", soft: "#a49d91", raised: "#211f1c", line: "#37342f",
  mark: "#fb923c", chosen: "#d9541c", good: "#8fd694", bad: "#ff9d8a",
};

function theme(colour) {
  return {
    breakpoints: { small: "50rem", medium: "78rem", large: "105rem" },
    colors: {
      primary: { main: colour.chosen }, // on white, and white on it
      success: { main: colour.good },
      error: { main: colour.bad },
      text: { primary: colour.ink, secondary: colour.soft },
      border: { dark: colour.line, light: colour.line },
      responses: { success: { tabTextColor: dark.good }, error: { tabTextColor: dark.bad } },
    },
    schema: { nestedBackground: colour.raised, linesColor: colour.line, typeNameColor: colour.soft, requireLabelColor: colour.mark },
    typography: {
      fontSize: "16px", lineHeight: "1.6", fontFamily: sans, optimizeSpeed: false,
      headings: { fontFamily: sans, fontWeight: "650", lineHeight: "1.2" },
      code: { fontFamily: mono, fontSize: "14px", color: colour.ink, backgroundColor: colour.raised, wrap: true },
      links: { color: colour.mark, visited: colour.mark, hover: colour.mark },
    },
    sidebar: { width: "17rem", backgroundColor: colour.raised, textColor: colour.ink, activeTextColor: colour.mark },
    rightPanel: { backgroundColor: "#1f1d1a", textColor: "#ece7dd", width: "38%" },
    fab: { backgroundColor: colour.raised, color: colour.mark },
    spacing: { sectionVertical: 28 },
    codeBlock: { backgroundColor: "#151412" },
  };
}

function render(isDark) {
  const options = {
    theme: theme(isDark ? dark : light),
    expandResponses: "200,201",
    hideSchemaTitles: true,
    jsonSampleExpandLevel: 4,
    nativeScrollbars: true,
    scrollYOffset: 0,
  };
  const place = document.getElementById("docs");
  Redoc.init("openapi.json", options, place, () => place.removeAttribute("aria-busy"));
}

const system = matchMedia("(prefers-color-scheme: dark)");
render(system.matches);
system.addEventListener("change", () => location.reload());
