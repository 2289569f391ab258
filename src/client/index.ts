export {
  type Client,
  type ClientOptions,
  createClient,
  type SrcsetOptions,
  type UrlOptions,
} from './client.ts'
export type { ClientRecipe } from './recipe-of.ts'
