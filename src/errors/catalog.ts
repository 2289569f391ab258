export interface CatalogEntry {
  /** HTTP status. */
  readonly status: number
  /** HTTP status on `POST /upload` and `POST /info`, where it differs. */
  readonly uploadStatus?: number
  /** Stable, short, the same for every occurrence (RFC 9457 `title`). */
  readonly title: string
  /** What the reader can do about it; becomes the page `docs/problems/<code>.md`. */
  readonly help: string
}

function entries<const T extends Record<string, CatalogEntry>>(
  list: T,
): { readonly [K in keyof T]: CatalogEntry } {
  return list
}

/**
 * Every problem code of Sluice. Codes are stable: clients may switch on them.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457
 */
export const catalog = entries({
  'parameter-unknown': {
    status: 400,
    title: 'An option is not known',
    help: 'The detail names the option and the nearest known one. `GET /openapi.json` and the operation reference list all of them.',
  },
  'parameter-invalid': {
    status: 400,
    title: 'An option has a value that is not allowed',
    help: 'The detail names the option, the value and what is allowed.',
  },
  'parameter-duplicate': {
    status: 400,
    title: 'An option is given twice',
    help: 'Give each option once per stage. Start a new stage with `;` to apply an operation again.',
  },
  'url-invalid': {
    status: 400,
    title: 'The URL is not in canonical form',
    help: 'Percent-encode every byte outside `A–Z a–z 0–9 - . _ ~ : @ !` with uppercase hexadecimal digits, and nothing else.',
  },
  'preset-unknown': {
    status: 400,
    title: 'A preset is not known',
    help: 'The detail lists the presets of this service. They are set by `SLUICE_PRESETS` or the config file.',
  },
  'url-too-long': { status: 414, title: 'The URL is too long', help: 'A URL may have 8,192 bytes.' },
  'policy-invalid': {
    status: 403,
    title: 'The signed policy is not valid',
    help: 'Sign policies with `sluice sign --policy`; a policy and a signature exclude each other.',
  },
  'policy-exceeded': {
    status: 403,
    title: 'The URL asks for more than its policy allows',
    help: 'The detail names the bound: source, width, height, format, preset.',
  },
  'operation-forbidden': {
    status: 403,
    title: 'This service does not run that operation',
    help: 'The operator allows some operations, or presets only: `SLUICE_ALLOWED_OPERATIONS`, `SLUICE_PRESETS_ONLY`.',
  },
  'origin-failed': {
    status: 502,
    title: 'The origin did not give the image',
    help: 'The host of the source answered with an error, broke off, or cannot be reached. The log of the service knows more.',
  },
  'origin-timeout': {
    status: 504,
    title: 'The origin is too slow',
    help: 'Connecting, waiting and reading have limits of their own, and all of it together has one.',
  },
  'origin-busy': {
    status: 503,
    title: 'Too many requests to this origin',
    help: 'Connections and fetches per host are limited, and a host that failed again and again is left alone for some seconds. Try again after `Retry-After`.',
  },
  'range-not-satisfiable': {
    status: 416,
    title: 'The range lies outside the image',
    help: '`Content-Range` tells the length.',
  },
  'admin-token-invalid': {
    status: 403,
    title: 'The admin token is missing or wrong',
    help: 'Send `Authorization: Bearer <token>` with the token of `SLUICE_ADMIN_TOKEN`.',
  },
  'upload-malformed': {
    status: 400,
    title: 'The upload cannot be read',
    help: 'Send `multipart/form-data` with exactly one file part named `photo` (or `file`, `image`), or the image as the raw body.',
  },
  'upload-missing': {
    status: 400,
    title: 'The upload holds no file',
    help: 'Send one non-empty file part named `photo` (or `file`, `image`), or the image as the raw body.',
  },
  'upload-too-large': {
    status: 413,
    title: 'The upload is over the byte limit',
    help: 'The limit is `SLUICE_MAX_UPLOAD_BYTES`.',
  },
  'body-encoded': {
    status: 415,
    title: 'The body has a content encoding',
    help: 'Send the image as it is, without `Content-Encoding`.',
  },
  'body-too-slow': {
    status: 408,
    title: 'The body came too slowly',
    help: 'Send the body at 1 kB/s or faster.',
  },
  'signature-missing': {
    status: 403,
    title: 'The URL needs a signature',
    help: 'Sign the URL with one of the keys of `SLUICE_KEYS`: `sluice sign <url>` prints it.',
  },
  'signature-invalid': {
    status: 403,
    title: 'The signature does not fit the URL',
    help: 'Sign the exact bytes that are sent.',
  },
  'signature-expired': {
    status: 403,
    title: 'The signed URL has expired',
    help: 'Sign it again with a later `exp`.',
  },
  'unsigned-refused': {
    status: 403,
    title: 'Unsigned URLs are for loopback only',
    help: 'Set `SLUICE_KEYS` and sign URLs, or set `SLUICE_ALLOW_UNSIGNED=true`.',
  },
  'api-key-invalid': {
    status: 403,
    title: 'The API key is missing or wrong',
    help: 'Send `Authorization: Bearer <key>`.',
  },
  'source-forbidden': {
    status: 403,
    title: 'The source is not allowed',
    help: 'Ask for a source that this service may read.',
  },
  'source-not-found': { status: 404, title: 'There is no such source', help: 'Check the path.' },
  'route-not-found': {
    status: 404,
    title: 'There is no such route',
    help: '`GET /openapi.json` lists the routes.',
  },
  'method-not-allowed': {
    status: 405,
    title: 'The method is not allowed here',
    help: 'The `Allow` header lists the methods.',
  },
  'format-unsupported': {
    status: 415,
    title: 'The image format is not accepted',
    help: 'The detail names the format that was recognised by its content. `SLUICE_INPUT_FORMATS` lists the accepted ones.',
  },
  'not-an-image': {
    status: 415,
    uploadStatus: 400,
    title: 'The bytes are no known image',
    help: 'Send an image; the format is recognised by its content, never by its name.',
  },
  'image-broken': {
    status: 422,
    uploadStatus: 400,
    title: 'The image is broken',
    help: 'The format was recognised, but the file is truncated, corrupt or contradicts itself.',
  },
  'source-too-large': {
    status: 422,
    uploadStatus: 413,
    title: 'The source exceeds a configured limit',
    help: 'The detail names the limit and its setting.',
  },
  'result-too-large': {
    status: 400,
    title: 'The result would exceed a limit',
    help: 'Ask for a smaller size: an edge of at most 16,384 px and at most 50 megapixels.',
  },
  'cost-exceeded': {
    status: 422,
    uploadStatus: 413,
    title: 'The work does not fit the memory budget',
    help: 'Ask for a smaller size, or give the service more with `SLUICE_MEMORY_BUDGET`.',
  },
  'decoder-crashed': {
    status: 422,
    uploadStatus: 400,
    title: 'The decoder crashed on this image',
    help: 'The file kills its decoder. It was contained; after two such deaths the file is refused for an hour.',
  },
  'worker-lost': { status: 503, title: 'An image worker was lost', help: 'Ask again.' },
  'worker-protocol': {
    status: 502,
    title: 'An image worker answered wrongly',
    help: 'This is a defect: please report it.',
  },
  overloaded: {
    status: 503,
    title: 'The service is busy',
    help: 'Ask again after the time in `Retry-After`.',
  },
  'shutting-down': {
    status: 503,
    title: 'The service is shutting down',
    help: 'Ask again: another instance will answer.',
  },
  'not-ready': { status: 503, title: 'The service is not ready', help: 'Ask again.' },
  'deadline-exceeded': {
    status: 504,
    title: 'The processing deadline has passed',
    help: 'The whole request may take `SLUICE_TIMEOUT_MS`.',
  },
  'client-closed': { status: 499, title: 'The client left', help: 'Only seen in logs.' },
  'config-invalid': { status: 500, title: 'A setting is wrong', help: 'Only seen at start.' },
  internal: {
    status: 500,
    title: 'Something went wrong',
    help: 'Report the request id: the log has the cause.',
  },
})

export type ErrorCode = keyof typeof catalog
