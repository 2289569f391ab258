import { readdirSync } from 'node:fs'

const IMAGE = /\.(?:jpe?g|png|gif|webp|avif|tiff?|svg)$/i
const RECIPES = [
  'w=480,h=320,fit=cover,pos=smart',
  'w=480,h=320,fit=cover,gray=true,con=20',
  'w=480,h=320,fit=cover,round=24,format=webp',
  'w=480,h=320,fit=cover,tint=orange',
]

/** The first page: an upload form that works without JavaScript, and what recipes do to the pictures at hand. */
export function renderPage(root: string): string {
  const cards = picturesIn(root).flatMap((name, index) => {
    const url = `/i/${RECIPES[index % RECIPES.length]}/${encodeURIComponent(name)}`
    return `<figure><a href="${url}"><img src="${url}" alt="" loading="lazy" width="480" height="320"></a><figcaption><code>${escapeHtml(url)}</code></figcaption></figure>`
  })
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Sluice</title>
<style>
:root{color-scheme:light dark;--ink:light-dark(#14202b,#e8eef3);--soft:light-dark(#5b6b78,#9fb0bd);--line:light-dark(#d9e1e7,#2b3944);--card:light-dark(#fff,#16212b);--accent:#0b7a75}
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:light-dark(#f4f7f9,#0e161d)}
main{max-width:1040px;margin:0 auto;padding:48px 24px 80px}h1{font-size:40px;margin:0;letter-spacing:-.02em}p.lead{color:var(--soft);margin:4px 0 32px;max-width:60ch}
form{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:24px;display:flex;flex-wrap:wrap;gap:16px;align-items:center}
input[type=file]{flex:1 1 260px;font:inherit}button{font:inherit;font-weight:600;border:0;border-radius:9px;padding:10px 18px;color:#fff;background:var(--accent);cursor:pointer}
button:hover{filter:brightness(1.1)}button.second{background:transparent;color:var(--ink);border:1px solid var(--line)}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:20px;margin-top:32px}figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:14px;overflow:hidden}
img{display:block;width:100%;height:auto;aspect-ratio:3/2;object-fit:cover;background:var(--line)}figcaption{padding:12px 14px}code{font:12.5px/1.5 ui-monospace,monospace;overflow-wrap:anywhere;color:var(--soft)}
nav{margin-top:32px;color:var(--soft)}a{color:var(--accent)}
</style></head><body><main>
<h1>Sluice</h1><p class="lead">Images come in, exactly the image that was asked for goes out, inside a fixed memory budget.</p>
<form action="/upload" method="post" enctype="multipart/form-data"><input type="file" name="photo" accept="image/*" required aria-label="Photo">
<button>Re-encode as JPEG</button><button class="second" formaction="/upload/w=800,format=webp">800 px WebP</button><button class="second" formaction="/upload/w=400,h=400,fit=cover,pos=smart">400 × 400 smart crop</button></form>
<section class="grid">${cards.join('')}</section>
<nav><a href="/openapi.json">openapi.json</a> · <a href="/healthz">health</a> · <a href="/readyz">readiness</a></nav>
</main></body></html>`
}

function picturesIn(root: string): readonly string[] {
  try {
    return readdirSync(root)
      .filter((name) => IMAGE.test(name) && /^[A-Za-z0-9._-]+$/.test(name))
      .toSorted()
      .slice(0, 6)
  } catch {
    // A folder that cannot be listed only leaves the page without pictures.
    return []
  }
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}
