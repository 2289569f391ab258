export declare const OLDEST_NODE: string
export declare const packageRoot: string
export declare function isFit(version: string): boolean
export declare function findNode(root?: string): string | undefined
