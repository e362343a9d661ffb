import type { Front } from "../api/front.ts";
import { aggregationsPath, metricsStreamPath, streamPath } from "../api/routes.ts";
import { escapeHtml } from "./escape.ts";
import { pageScript, rulesSection, scriptSource } from "./welcome-rules.ts";

/** Where to go, for programs. */
export function welcomeDocument(front: Front): object {
  return {
    name: "millrace",
    version: front.version,
    api: "/api/v1/openapi.json",
    events: "/api/v1/events",
    query: "/api/v1/analytics/events",
    stream: streamPath,
    rules: aggregationsPath,
    windows: metricsStreamPath,
    health: "/api/v1/health",
    metrics: "/api/v1/metrics",
  };
}

const style = `
:root { color-scheme: light dark; --ink: light-dark(#16242b, #dce6ea); --soft: light-dark(#5a6b73, #93a5ad);
  --line: light-dark(#d5dee2, #2c3b42); --paper: light-dark(#fbfcfc, #11191d); --code: light-dark(#eef3f4, #1a252a);
  --accent: light-dark(#00657f, #58c4dd) }
body { margin: 0 auto; padding: 2rem 1.5rem; max-width: 46rem; font: 16px/1.55 system-ui, sans-serif;
  color: var(--ink); background: var(--paper) }
h1 { margin: 0; font-size: 2rem; letter-spacing: -.02em } h2 { margin: 1.5rem 0 .4rem; font-size: 1rem }
h1 small { font-size: 1rem; font-weight: 400; color: var(--soft); letter-spacing: 0 }
p { margin: .3rem 0 } dl { display: flex; flex-wrap: wrap; gap: .5rem 2.5rem; margin: 1.5rem 0 }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums }
pre { margin: 0; padding: .8rem 1rem; overflow-x: auto; background: var(--code); border: 1px solid var(--line);
  border-radius: 6px; font: 13px/1.5 ui-monospace, monospace }
a { color: var(--accent) } nav { display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; margin-top: 2rem;
  padding-top: 1rem; border-top: 1px solid var(--line) }
textarea { box-sizing: border-box; width: 100%; padding: .8rem 1rem; resize: vertical; color: inherit;
  background: var(--code); border: 1px solid var(--line); border-radius: 6px; font: 13px/1.5 ui-monospace, monospace }
button { padding: .35rem 1.1rem; font: inherit; color: var(--paper); background: var(--accent); border: 0;
  border-radius: 6px; cursor: pointer } #form p { display: flex; align-items: center; gap: 1rem }
#note { color: var(--soft); font-size: .85rem } #out { max-height: 24rem; overflow: auto; margin-top: .6rem }
table { border-collapse: collapse; font-size: .85rem } td, th { padding: .2rem .8rem .2rem 0; text-align: left;
  border-bottom: 1px solid var(--line); white-space: pre; max-width: 24rem; overflow: hidden; text-overflow: ellipsis }
th { position: sticky; top: 0; background: var(--paper); font-weight: 600 }
.number { text-align: right; font-variant-numeric: tabular-nums } .null { color: var(--soft) }
.error { color: light-dark(#a02020, #ff9a8a) } small { color: var(--soft) }
details { padding: .4rem 0; border-bottom: 1px solid var(--line) } summary { cursor: pointer }
.windows { max-height: 24rem; overflow: auto; margin-top: .4rem } .windows p { font-size: .85rem }`;

const question =
  "SELECT event_type, count(*) AS n FROM events GROUP BY event_type ORDER BY n DESC LIMIT 20";

/** Nothing is loaded from elsewhere; the one script asks this server and no other. */
export const welcomeHeaders = {
  "Content-Type": "text/html; charset=utf-8",
  "Content-Security-Policy":
    "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; " +
    `form-action 'none'; frame-ancestors 'none'; script-src ${scriptSource}`,
};

/** The same for people: how the server is, and commands to copy. `origin` is the address that was asked. */
export function welcomePage(front: Front, origin: string): string {
  const { reads, ingest, reason } = front.engine.readiness();
  const { storedRows, storedBytes } = front.engine.stats();
  const state = reads && ingest && !front.stopping ? "ready" : (reason ?? "stopping");
  const figures = [
    ["state", state],
    ["events stored", storedRows.toLocaleString("en")],
    ["on disk", `${(storedBytes / 1024 ** 2).toFixed(1)} MiB`],
  ].map(([name = "", value = ""]) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`);
  const base = `${origin}/api/v1`;
  const parts: [string, string][] = [
    [
      "Send an event",
      `curl ${base}/events --json \\\n  '{"event_type":"purchase","user_id":"ada","properties":{"amount":12.5}}'`,
    ],
    ["Read events", `curl '${base}/analytics/events?event_type=purchase&limit=10'`],
    ["Ask from the command line", `millrace query --url ${origin} "SELECT count(*) FROM events"`],
    [
      "Keep an answer up to date as events come",
      `millrace rules create --url ${origin} --name per_minute --backfill \\\n` +
        `  "SELECT time_bucket('1 minute', timestamp), count(*) AS n FROM events GROUP BY 1"\n` +
        `millrace tail --url ${origin} --rule per_minute`,
    ],
    ["Watch events as they are stored", `millrace tail --url ${origin}`],
  ];
  const sections = parts.map(
    ([title, command]) => `<h2>${title}</h2>\n<pre>${escapeHtml(command)}</pre>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Millrace</title>
<meta name="viewport" content="width=device-width"><style>${style}</style></head>
<body>
<h1>Millrace <small>${escapeHtml(front.version)}</small></h1>
<p>Takes events, keeps them, answers questions about them and streams them live.</p>
<dl>${figures.join("")}</dl>
<h2><label for="sql">Ask a question</label></h2>
<form id="form">
<textarea id="sql" rows="4" spellcheck="false" autocomplete="off">${escapeHtml(question)}</textarea>
<p><button id="run">Run</button><span id="note" role="status">Ctrl+Enter runs it too</span></p>
</form>
<div id="out" role="region" aria-label="Answer"></div>
${rulesSection(front.ruleBook)}${sections.join("\n")}
<nav><a href="/api/v1/openapi.json">API (OpenAPI 3.1)</a><a href="/api/v1/health">Health</a>
<a href="/api/v1/metrics">Metrics</a><a href="/api/v1/analytics/events?order=desc">Newest events</a></nav>
<script>${pageScript}</script>
</body>
</html>
`;
}
