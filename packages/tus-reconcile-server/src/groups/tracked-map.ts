/**
 * A map that remembers which keys were set or deleted since they were taken last: what a record has to learn. It begins
 * empty: Map's constructor would set entries before the fields of this class exist.
 */
export class TrackedMap<K, V> extends Map<K, V> {
  readonly #changed = new Set<K>()

  override set(key: K, value: V): this {
    this.#changed.add(key)
    return super.set(key, value)
  }

  override delete(key: K): boolean {
    const was = super.delete(key)
    if (was) this.#changed.add(key)
    return was
  }

  override clear(): void {
    for (const key of this.keys()) this.#changed.add(key)
    super.clear()
  }

  /** Empty, with nothing left to be recorded: the record drops all of it by itself. */
  forget(): void {
    super.clear()
    this.#changed.clear()
  }

  /** The value has changed in place. */
  touch(key: K): void {
    if (this.has(key)) this.#changed.add(key)
  }

  /** As the record has it already. */
  restore(key: K, value: V): void {
    super.set(key, value)
  }

  /** Changed keys with their values as they are now; null for those that are gone. Each is given once. */
  takeChanges(): [K, V | null][] {
    const changes = Array.from(this.#changed, (key): [K, V | null] => [key, this.get(key) ?? null])
    this.#changed.clear()
    return changes
  }
}
