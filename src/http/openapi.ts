import { z } from 'zod'
import { catalog } from '../errors/index.ts'
import { operations } from '../operations/index.ts'
import { outputSchema, schemaOf } from '../recipe/index.ts'

/** The API as OpenAPI 3.1, generated from the schemas that check it. @see https://spec.openapis.org/oas/v3.1.0 */
export function openApi(version: string, publicUrl: string | undefined): Record<string, unknown> {
  const problem = {
    description: 'Problem',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  }
  const image = {
    description: 'The picture',
    content: { 'image/*': { schema: { type: 'string', format: 'binary' } } },
  }
  const json = (description: string) => ({
    description,
    content: { 'application/json': { schema: { type: 'object' } } },
  })
  const parameter = (name: string, where: string, description: string, required = true) => ({
    name,
    in: where,
    required,
    description,
    schema: { type: 'string' },
  })
  const recipe = parameter(
    'recipe',
    'path',
    'Options joined by "," and stages by ";": w=400,fit=cover;blur=2. "_" is the empty recipe.',
  )
  const source = parameter('source', 'path', 'Path under the default root, or name:path.')
  const query = [
    parameter('exp', 'query', 'Expiry, Unix seconds.', false),
    parameter('v', 'query', 'Cache buster.', false),
    parameter('dl', 'query', 'Download name.', false),
    parameter('s', 'query', 'Signature, last.', false),
  ]
  const failures = Object.fromEntries(
    [
      ...new Set(
        Object.values(catalog).flatMap(({ status, uploadStatus }) => [status, uploadStatus ?? status]),
      ),
    ]
      .filter((status) => status >= 400 && status !== 499)
      .map((status) => [status, problem]),
  )
  const body = {
    required: true,
    content: {
      'multipart/form-data': {
        schema: {
          type: 'object',
          properties: { photo: { type: 'string', format: 'binary' } },
          required: ['photo'],
        },
      },
      'image/*': { schema: { type: 'string', format: 'binary' } },
    },
  }
  const steps = Object.fromEntries(
    operations.map((operation) => [
      operation.name,
      {
        description: operation.summary,
        'x-url-keys': Object.keys(operation.urlKeys),
        ...schemaJson(schemaOf(operation)),
      },
    ]),
  )
  return {
    openapi: '3.1.0',
    info: {
      title: 'Sluice',
      version,
      description: 'Image processing inside a fixed memory budget.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    ...(publicUrl === undefined ? {} : { servers: [{ url: publicUrl }] }),
    paths: {
      '/i/{recipe}/{source}': {
        get: {
          operationId: 'render',
          parameters: [recipe, source, ...query],
          responses: { 200: image, ...failures },
        },
      },
      '/upload': {
        post: { operationId: 'upload', requestBody: body, responses: { 200: image, ...failures } },
      },
      '/upload/{recipe}': {
        post: {
          operationId: 'uploadWithRecipe',
          parameters: [recipe],
          requestBody: body,
          responses: { 200: image, ...failures },
        },
      },
      '/info/{source}': {
        get: {
          operationId: 'info',
          parameters: [source, ...query],
          responses: { 200: json('Facts of the source'), ...failures },
        },
      },
      '/info': {
        post: {
          operationId: 'infoOfUpload',
          requestBody: body,
          responses: { 200: json('Facts of the upload'), ...failures },
        },
      },
      '/explain/{recipe}/{source}': {
        get: {
          operationId: 'explain',
          parameters: [recipe, source, ...query],
          responses: { 200: json('The plan; nothing is decoded'), ...failures },
        },
      },
      '/healthz': { get: { operationId: 'health', responses: { 200: json('The process answers') } } },
      '/readyz': {
        get: { operationId: 'readiness', responses: { 200: json('Work is done'), 503: json('Not ready') } },
      },
    },
    components: {
      schemas: {
        Problem: {
          type: 'object',
          description: 'RFC 9457',
          properties: {
            type: { type: 'string' },
            title: { type: 'string' },
            status: { type: 'integer' },
            code: { type: 'string', enum: Object.keys(catalog) },
            detail: { type: 'string' },
            instance: { type: 'string' },
          },
          required: ['type', 'title', 'status', 'code', 'detail', 'instance'],
        },
        Output: schemaJson(outputSchema),
        ...steps,
      },
    },
  }
}

function schemaJson(schema: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Record<
    string,
    unknown
  >
  return rest
}
