/** The JPEG with its last scan `times` more; what an attacker sends to be decoded for seconds. */
export function repeatLastScan(jpeg: Buffer, times: number): Buffer {
  let start = -1
  for (
    let at = jpeg.indexOf(Buffer.from([0xff, 0xda]));
    at >= 0;
    at = jpeg.indexOf(Buffer.from([0xff, 0xda]), at + 2)
  )
    start = at
  const end = jpeg.lastIndexOf(Buffer.from([0xff, 0xd9]))
  if (start < 0 || end < start) throw new Error('This is no whole JPEG')
  const scan = jpeg.subarray(start, end)
  return Buffer.concat([
    jpeg.subarray(0, end),
    ...Array.from({ length: times }, () => scan),
    jpeg.subarray(end),
  ])
}
