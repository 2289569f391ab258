/*
 * Loaded into `sluice serve` by --import: a defect on demand. SIGUSR2 makes the process throw where nobody
 * catches, or reject where nobody waits.
 */

process.on('SIGUSR2', () => {
  const error = new Error('a defect on demand')
  if (process.env.DEFECT === 'rejection') void Promise.reject(error)
  else throw error
})
