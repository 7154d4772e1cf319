import { createRoute, z } from '@hono/zod-openapi';

import type { Answers } from './answer.ts';
import { renderDocs, renderProblemPage } from './docs-page.ts';
import type { OpenApiDocument } from './document.ts';
import { kindOf, type ProblemCode, problemCodes } from './problem-kinds.ts';
import { ProblemError, problems } from './problem.ts';
import { createRouter } from './router.ts';

const openApi = createRoute({
  method: 'get',
  path: '/openapi.json',
  responses: {
    200: { description: 'OpenAPI 3.1.', content: { 'application/json': { schema: z.any() } } },
    ...problems(),
  },
  hide: true,
});

const page = {
  200: { description: 'A page.', content: { 'text/html': { schema: z.string() } } },
  ...problems(),
};

const docs = createRoute({ method: 'get', path: '/docs', responses: page, hide: true });

const problemPage = createRoute({
  method: 'get',
  path: '/docs/problems/{code}',
  request: { params: z.object({ code: z.string() }) },
  responses: page,
  hide: true,
});

/** @param deps.document made when it is asked for: by then all routes have been added */
export function docsRoutes({ answers, document }: { answers: Answers; document: () => OpenApiDocument }) {
  return createRouter()
    .openapi(openApi, async (c) => answers.json(c, 200, document()))
    .openapi(docs, async (c) => answers.html(c, renderDocs(document())))
    .openapi(problemPage, async (c) => {
      const { code } = c.req.valid('param');
      if (!isProblemCode(code)) {
        throw new ProblemError({ code: 'not_found', detail: `There is no problem "${code}".` });
      }
      return answers.html(c, renderProblemPage(code, kindOf(code)));
    });
}

function isProblemCode(text: string): text is ProblemCode {
  return problemCodes.some((code) => code === text);
}
