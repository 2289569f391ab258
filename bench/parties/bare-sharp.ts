import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import type { Cell, Party, Sample, StartOptions } from '../party.ts'

/** The pixel library in a process of its own: files read, pictures made, no HTTP, no isolation, as many at once as cores. */
export async function startBareSharp({ cores }: StartOptions): Promise<Party> {
  const child = fork(fileURLToPath(new URL('../bare-loop.ts', import.meta.url)), {
    env: { PATH: process.env.PATH, VIPS_CONCURRENCY: '1' },
  })
  return {
    name: 'bare sharp',
    version: sharp.versions.sharp ?? '',
    pids: () => [child.pid as number],
    refuses: () => undefined,
    once: async (cell) =>
      Buffer.from((await tell<{ image: string }>(child, { cell, cores })).image, 'base64'),
    run: async (cell, milliseconds) => ({
      ...(await tell<Omit<Sample, 'generatorCpu'>>(child, { cell, cores, milliseconds })),
      generatorCpu: 0,
    }),
    stop: async () => {
      child.kill()
      await once(child, 'exit')
    },
  }
}

export interface Task {
  readonly cell: Cell
  readonly cores: number
  /** Without it: one picture. */
  readonly milliseconds?: number
}

async function tell<T>(child: ChildProcess, task: Task): Promise<T> {
  const answered = once(child, 'message') as Promise<[T & { error?: string }]>
  child.send(task)
  const [answer] = await answered
  if (answer.error !== undefined) throw new Error(answer.error)
  return answer
}
