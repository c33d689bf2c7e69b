import { describe, expect, it } from 'vitest'
import { RequestReader } from './request-reader.js'

function read(pieces: readonly string[]): string[] {
  const seen: string[] = []
  const reader = new RequestReader({
    onHead: ({ method, path, fields, bodyBytes }) => seen.push(`${method} ${path} ${fields.get('x-a')} ${bodyBytes}`),
    onBody: (piece) => seen.push(`body ${piece.length}`),
    onEnd: () => seen.push('end'),
  })
  for (const piece of pieces) reader.push(Buffer.from(piece, 'latin1'))
  return seen
}

const POST = 'POST /files HTTP/1.1\r\nX-A: one\r\nContent-Length: 4\r\n\r\n'
const GET = 'GET /x HTTP/1.1\r\nHost: h\r\n\r\n'

describe('reading requests along', () => {
  it('sees heads, bodies and ends of requests that follow each other', () => {
    const seen = read([`${POST}abcd${GET}`])
    expect(seen).toEqual(['POST /files one 4', 'body 4', 'end', 'GET /x undefined 0', 'end'])
  })

  it('sees the same however the bytes are cut', () => {
    const bytes = [...`${POST}abcd${GET}`]
    const seen = read(bytes).filter((line) => !line.startsWith('body'))
    expect(seen).toEqual(['POST /files one 4', 'end', 'GET /x undefined 0', 'end'])
  })

  it('goes deaf, and never fails, on what it does not know', () => {
    expect(read(['\x16\x03\x01garbage\r\n\r\n', GET])).toEqual([])
    expect(read(['POST /f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n', GET])).toEqual([])
  })
})
