/** A piece of a page in which nothing is left to escape. */
export interface Html {
  html: string;
}

type Value = string | number | Html | null | undefined | false | readonly Value[];

/** Text is escaped, pieces of a page are taken as they are, lists follow one another, and nothing stays nothing. */
export function html(strings: TemplateStringsArray, ...values: readonly Value[]): Html {
  const raw = strings.map((text) => text.replaceAll(INDENTATION, '\n'));
  return { html: String.raw({ raw }, ...values.map(textOf)) };
}

/** How the sources of a page are indented is nobody's to read, and was a third of it. */
const INDENTATION = /\n\s+/g;

/** Only for what this program itself has written: styles, scripts, data. */
export function raw(html: string): Html {
  return { html };
}

function textOf(value: Value): string {
  if (value === null || value === undefined || value === false) return '';
  if (Array.isArray(value)) return (value as readonly Value[]).map(textOf).join('');
  if (typeof value === 'object') return (value as Html).html;
  return escape(String(value));
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

/** Data in a page: no `</script>` in it ends the element. */
export function jsonInPage(value: unknown): Html {
  return raw(JSON.stringify(value).replaceAll('<', String.raw`\u003c`));
}

/** A table that also a screen reader can follow: a caption, and headings of columns and rows. */
export function table(
  caption: string,
  header: readonly string[],
  rows: readonly (readonly (string | Html)[])[],
): Html {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${header.map((cell) => html`<th scope="col">${cell}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ([first = '', ...others]) =>
            html`<tr>
              <th scope="row">${first}</th>
              ${others.map((cell) => html`<td>${cell}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
