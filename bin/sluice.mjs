#!/usr/bin/env node
// `sluice <command>`: finds a Node that runs the sources and hands over.
import { runOnNode } from './run-on-node.mjs'

await runOnNode('src/cli/main.ts', process.argv.slice(2))
