// Serves a folder as S3 on a free port of loopback and prints the port: `node s3.cjs <folder> <bucket>…`.
const S3rver = require('@20minutes/s3rver')

const [directory, ...names] = process.argv.slice(2)
const server = new S3rver({
  address: '127.0.0.1',
  port: 0,
  directory,
  silent: true,
  vhostBuckets: false,
  configureBuckets: names.map((name) => ({ name })),
})
server.run().then(({ port }) => process.stdout.write(`${port}\n`))
