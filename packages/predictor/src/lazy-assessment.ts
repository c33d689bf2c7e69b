import type { RiskAssessment } from './risk-assessment.js'
import type { Reasons } from './risk-reasons.js'
import type { Blame } from './risk-split.js'

export type Figures = Omit<RiskAssessment, 'usualLogOdds' | 'because' | 'blame'>

/** The figures, with their reasons made when somebody asks for them, copies them or writes them down: texts cost more than all the rest. */
export function withReasons(
  figures: Figures,
  make: { readonly reasons: () => Reasons; readonly blame: () => readonly Blame[] },
): RiskAssessment {
  let [reasons, blame]: [Reasons | undefined, readonly Blame[] | undefined] = [undefined, undefined]
  const told = () => {
    reasons ??= make.reasons()
    return reasons
  }
  return {
    ...figures,
    get usualLogOdds() {
      return told().usualLogOdds
    },
    get because() {
      return told().because
    },
    get blame() {
      blame ??= make.blame()
      return blame
    },
  }
}
