import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Setting, settings } from '../src/config/index.ts'
import { formatRecipe } from '../src/dialects/index.ts'
import { catalog } from '../src/errors/index.ts'
import { type Example, type Operation, operations, type UrlKey } from '../src/operations/index.ts'
import { describeAllowed, OUTPUT_KEYS, outputSchema, schemaOf } from './docs-imports.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
