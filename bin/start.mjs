#!/usr/bin/env node
// `npm start -- <flags>` is `sluice serve <flags>`.
import { runOnNode } from './run-on-node.mjs'

await runOnNode('src/cli/main.ts', ['serve', ...process.argv.slice(2)])
