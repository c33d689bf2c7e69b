import fc from 'fast-check'

/** The same cases in every run, so that a test fails for everybody or for nobody; others with FC_SEED=number. */
const SEED = Number(process.env.FC_SEED ?? 20_261_122)

fc.configureGlobal({ seed: SEED })
