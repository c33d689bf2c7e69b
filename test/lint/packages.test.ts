import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

const PACKAGES = ['predictor', 'protocol', 'tus-reconcile-server', 'uppy-adaptive']

interface Packed {
  readonly name: string
  readonly files: readonly { readonly path: string }[]
}

/** What npm would publish of each. */
let packed: readonly Packed[]
beforeAll(async () => {
  const directories = PACKAGES.map((name) => `./packages/${name}`)
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', ...directories]
  const { stdout } = await promisify(execFile)('npm', args, { cwd: ROOT, maxBuffer: 2 ** 26 })
  packed = JSON.parse(stdout)
}, 180_000)

test.each(PACKAGES)(
  'what is published of packages/%s is what its users need, and its README leads nowhere else',
  async (name) => {
    const directory = join(ROOT, 'packages', name)
    const [own, readme, license, root] = await Promise.all([
      readFile(join(directory, 'package.json'), 'utf8'),
      readFile(join(directory, 'README.md'), 'utf8'),
      readFile(join(directory, 'LICENSE'), 'utf8'),
      readFile(join(ROOT, 'LICENSE'), 'utf8'),
    ])
    expect(license).toBe(root)
    const of = packed.find((each) => each.name === JSON.parse(own).name)
    const files = of?.files.map(({ path }) => path) ?? []
    expect(files.filter((file) => !file.startsWith('dist/')).sort()).toEqual(['LICENSE', 'README.md', 'package.json'])
    const built = files.filter((file) => file.startsWith('dist/'))
    expect(built.filter((file) => !/\.(js|d\.ts)(\.map)?$/.test(file))).toEqual([])
    expect(built.filter((file) => /\.test\.|(^|\/)testing\//.test(file))).toEqual([])
    const links = [...readme.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
    const inside = links.filter((target) => !/^(https?:|mailto:|#)/.test(target))
    expect(inside.filter((target) => !files.includes(target.replace(/^\.\//, '').replace(/#.*/, '')))).toEqual([])
  },
)
