import sharp from 'sharp'

// One job at a time per process: a second thread or a cache would only add memory that no plan accounts for.
sharp.cache(false)
sharp.concurrency(1)

// Only the loaders of accepted formats, only from memory. Whatever libvips could open besides stays closed,
// even when a sniffed type lies.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: [
    'VipsForeignLoadJpegBuffer',
    'VipsForeignLoadPngBuffer',
    'VipsForeignLoadWebpBuffer',
    'VipsForeignLoadHeifBuffer',
    'VipsForeignLoadNsgifBuffer',
    'VipsForeignLoadTiffBuffer',
    'VipsForeignLoadSvgBuffer',
  ],
})

/** The pixel library, closed to everything but the accepted formats from memory. */
export { sharp }
