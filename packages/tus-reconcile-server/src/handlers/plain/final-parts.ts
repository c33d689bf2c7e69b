import { Refusal } from '../../groups/refusal.js'
import type { TusRequest } from '../../tus-request.js'
import type { PlainSite } from '../exchange/site.js'

/** Parts of one final upload (guess: far above what a header has room for). */
const MAX_PARTS = 1000

/**
 * The ids of the uploads that `Upload-Concat: final;<url> <url>…` names, in its order.
 * @throws Refusal when one of them is no upload of this server
 */
export function readParts(site: PlainSite, req: TusRequest, concat: string): readonly string[] {
  const urls = concat.slice('final;'.length).trim().split(/ +/)
  if (urls.length > MAX_PARTS) throw new Refusal('bad-request', `a final upload has at most ${MAX_PARTS} parts`)
  const ids = urls.map((url) => readPart(site, req, url))
  if (new Set(ids).size < ids.length) throw new Refusal('bad-request', 'Upload-Concat names an upload twice')
  return ids
}

function readPart(site: PlainSite, req: TusRequest, text: string): string {
  const { POST, PATCH } = site.server.handlers
  const refusal = new Refusal(
    'bad-request',
    'Upload-Concat: final; names URLs of uploads of this server, with a space between',
  )
  if (text === '' || !URL.canParse(text, req.url)) throw refusal
  const url = new URL(text, req.url)
  const id = PATCH.getFileIdFromRequest(new Request(url, { headers: req.headers }))
  if (!id) throw refusal
  const own = new URL(POST.generateUrl(req, id), req.url)
  const asked = `${url.protocol}//${req.headers.get('host') ?? ''}`
  const hosts = [own.host, URL.canParse(asked) ? new URL(asked).host : own.host]
  if (url.pathname !== own.pathname || !hosts.includes(url.host)) throw refusal
  return id
}
