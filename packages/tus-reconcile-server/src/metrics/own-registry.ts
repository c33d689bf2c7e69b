import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** One label and all the values that it ever has. */
interface Label {
  readonly label: string
  readonly values: readonly string[]
}

/** Figures of one extension. Every series is there from the start, so that a rate sees its first change. */
export class OwnRegistry {
  readonly #registry = new Registry()

  get contentType(): string {
    return this.#registry.contentType
  }

  /** All of it, in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  counter(name: string, help: string, by?: Label): Counter<string> {
    const counter = new Counter({ ...this.#named(name, help), labelNames: by ? [by.label] : [] })
    for (const value of by?.values ?? []) counter.inc({ [by?.label ?? '']: value }, 0)
    return counter
  }

  gauge(name: string, help: string): Gauge<string> {
    return new Gauge(this.#named(name, help))
  }

  /** @param buckets upper bounds, in seconds */
  histogram(name: string, help: string, buckets: number[], by?: Label): Histogram<string> {
    const histogram = new Histogram({ ...this.#named(name, help), buckets, labelNames: by ? [by.label] : [] })
    for (const value of by?.values ?? []) histogram.zero({ [by?.label ?? '']: value })
    return histogram
  }

  /** Asked for at each scrape. */
  gaugeOf(name: string, help: string, value: () => number): void {
    new Gauge({
      ...this.#named(name, help),
      collect() {
        this.set(value())
      },
    })
  }

  /** As `gaugeOf`, one for each state. */
  gaugesOf(
    name: string,
    help: string,
    of: { readonly states: readonly string[]; readonly count: () => ReadonlyMap<string, number> },
  ): void {
    new Gauge({
      ...this.#named(name, help),
      labelNames: ['state'],
      collect() {
        const counts = of.count()
        for (const state of of.states) this.set({ state }, counts.get(state) ?? 0)
      },
    })
  }

  #named(name: string, help: string): { name: string; help: string; registers: Registry[] } {
    return { name: `tus_reconcile_${name}`, help, registers: [this.#registry] }
  }
}

/** One more, until what is returned is called. */
export function opened(gauge: Gauge<string>): () => void {
  gauge.inc()
  let isOpen = true
  return () => {
    if (isOpen) gauge.dec()
    isOpen = false
  }
}
