import { readFileSync } from 'node:fs';

import { html, jsonInPage, raw, type Html } from './html.ts';

export interface PageParts {
  title: string;
  body: Html;
  /** Read by the scripts from the element `data`. */
  data: unknown;
  styles?: readonly Html[];
  /** What stands before the modules, in the scope of the page. */
  libraries?: readonly Html[];
  /** Modules, each in a scope of its own. */
  scripts?: readonly Html[];
  /** Of a page that has a server: modules that the server has, at these addresses. Then no other script runs. */
  served?: readonly string[];
}

const ALONE = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/** What a page that has a server may ask of it, and of nobody else. */
export const SERVED =
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; img-src data:";

/** A page with its styles, its scripts and its data in it: nothing is fetched, and the browser sees to that. */
export function page(parts: PageParts): string {
  const { title, body, data, styles = [], libraries = [], scripts = [], served = [] } = parts;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta http-equiv="Content-Security-Policy" content="${raw(served.length > 0 ? SERVED : ALONE)}" />
        <link rel="icon" href="data:," />
        <title>${title}</title>
        <style>
          ${raw(readFileSync(new URL('page/page.css', import.meta.url), 'utf8'))}${styles}
        </style>
      </head>
      <body>
        <main>${body}</main>
        <script type="application/json" id="data">
          ${jsonInPage(data)}
        </script>
        ${libraries.map(
          (script) =>
            html`<script>
              ${script};
            </script>`,
        )}
        ${scripts.map(
          (script) =>
            html`<script type="module">
              ${script};
            </script>`,
        )}
        ${served.map((address) => html`<script type="module" src="${address}"></script>`)}
      </body>
    </html>`.html.trimStart();
}
