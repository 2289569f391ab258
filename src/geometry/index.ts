export type { Rect, Size } from './size.ts'
