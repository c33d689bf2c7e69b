import type { FaultKind, FaultPlan } from './faults.js'
import type { Scenario } from './scenario.js'

/** What once went wrong, found by a seed, as that seed planned it then: plans change, these stay. */
export const MENDED: readonly { readonly what: string; readonly scenario: Scenario }[] = [
  {
    what: 'a machine that slept while it asked its primary for the first time took it for unreachable',
    scenario: {
      seed: 45,
      servers: 3,
      routes: [
        { server: 0, delayMs: 65.87423908454969, upBytesPerSecond: 373234.86404456303 },
        { server: 1, delayMs: 67.72796020643052, upBytesPerSecond: 347517.09827023715 },
        { server: 2, delayMs: 69.13590774352787, upBytesPerSecond: 163131.93838292817 },
      ],
      lastMileBytesPerSecond: 1066670.0589931887,
      peerDelayMs: 37.05350927159388,
      commitMs: 0,
      expireMs: 3600000,
      firstBlock: 8,
      sizeBytes: 1048576,
      options: { giveUpAfter: 600, partitioning: { initialSize: 262144, targetSeconds: 0.932614277349785 } },
      faults: [
        fault('pathSilent', 0, 9837.897654306735, { server: 2, route: 0, share: 0.030512214082283738, count: 4 }),
        fault('eventsReordered', 58.797694736155904, 232.13313306186203, {
          server: 1,
          route: 2,
          share: 0.05968781131850287,
          count: 4,
        }),
        fault('pathSilent', 60.27158737957134, 3069.2140308838952, {
          server: 1,
          route: 2,
          share: 0.029930081830176362,
          count: 4,
        }),
        fault('userPauses', 64.39019914432575, 426.8177431996087, {
          server: 1,
          route: 1,
          share: 0.011409166126645191,
          count: 3,
        }),
        fault('machineSleeps', 236.45734572830483, 238515.59220754297, {
          server: 0,
          route: 2,
          share: 0.1489516256676985,
          count: 2,
        }),
        fault('bodyLimitTold', 392.6418060771727, 6148.824522181438, {
          server: 1,
          route: 2,
          share: 0.031665644753588504,
          count: 1,
        }),
        fault('eventsReordered', 534.7599534488585, 268.57071681382035, {
          server: 0,
          route: 2,
          share: 0.01989725594567728,
          count: 2,
        }),
        fault('lastMileSlow', 11370.89891088784, 2150.320378633646, {
          server: 0,
          route: 0,
          share: 0.12980735681750263,
          count: 4,
        }),
      ],
      healedMs: 238752.04955327127,
    },
  },
  {
    what: 'a probe of a dead address went on when another one of its store had answered',
    scenario: {
      seed: 66,
      servers: 1,
      routes: [
        { server: 0, delayMs: 17.39301033269642, upBytesPerSecond: 545263.9711282917 },
        { server: 0, delayMs: 11.800826329235939, upBytesPerSecond: 309866.7719605132 },
      ],
      lastMileBytesPerSecond: 4043728.302750898,
      peerDelayMs: 46.73134641659383,
      commitMs: 21.576786697806916,
      expireMs: 3600000,
      firstBlock: 8,
      sizeBytes: 2572584,
      options: { giveUpAfter: 120, partitioning: { initialSize: 262144 } },
      faults: [
        fault('operationsLost', 1699.6597906689058, 4653.122787671146, {
          server: 0,
          route: 0,
          share: 0.028548268271916328,
          count: 2,
        }),
        fault('pathSilent', 4622.010868548369, 25042.39021985257, {
          server: 0,
          route: 0,
          share: 0.05783907333157249,
          count: 3,
        }),
        fault('serverBusy', 6382.5119059704975, 638.2960658160952, {
          server: 0,
          route: 0,
          share: 0.27646852659943155,
          count: 1,
        }),
      ],
      healedMs: 29664.401088400937,
    },
  },
  {
    what: 'copies went to a store beyond the sessions that it may have',
    scenario: {
      seed: 74,
      servers: 2,
      routes: [
        { server: 0, delayMs: 5.943226771722694, upBytesPerSecond: 3504000.3828238007 },
        { server: 1, delayMs: 3.5176293066937516, upBytesPerSecond: 1188022.3973731273 },
      ],
      lastMileBytesPerSecond: 6092933.343265241,
      peerDelayMs: 15.669446691666359,
      commitMs: 0,
      expireMs: 3600000,
      firstBlock: 8,
      sizeBytes: 1977861,
      options: {
        giveUpAfter: 120,
        partitioning: { initialSize: 262144 },
        redundancy: { threshold: 0.8, budget: 0.5, maxConcurrent: 2 },
      },
      faults: [
        fault('peersCut', 111.08313075818839, 1949.6381134919493, {
          server: 0,
          route: 0,
          share: 0.028645277349985954,
          count: 2,
        }),
        fault('pathSlow', 126.61191755640517, 140.42562257990383, {
          server: 1,
          route: 1,
          share: 0.025587193350214456,
          count: 4,
        }),
        fault('serverCrash', 182.5145179360064, 5845.012703867801, {
          server: 0,
          route: 0,
          share: 0.25436087384495976,
          count: 3,
        }),
        fault('serverCrash', 248.51116243774158, 6707.065795124254, {
          server: 1,
          route: 0,
          share: 0.16054126441275354,
          count: 3,
        }),
        fault('serverCrash', 562.8328267935367, 25035.652988577443, {
          server: 0,
          route: 0,
          share: 0.30958643292798416,
          count: 2,
        }),
        fault('userAborts', 1104.8138044403838, 25304.91355875797, {
          server: 1,
          route: 1,
          share: 0.013341433467324327,
          count: 1,
        }),
        fault('pathSlow', 2769.8091922127956, 43284.1892488811, {
          server: 0,
          route: 0,
          share: 0.022240113392645484,
          count: 1,
        }),
        fault('serverBusy', 10408.683855982033, 14358.35358412571, {
          server: 1,
          route: 1,
          share: 0.028886140968696662,
          count: 1,
        }),
      ],
      healedMs: 46053.99844109389,
    },
  },
  {
    what: 'news of a bad block that was being sent anew made a range that ends within a block',
    scenario: {
      seed: 86,
      servers: 3,
      routes: [
        { server: 0, delayMs: 26.6361376605376, upBytesPerSecond: 296566.0382789892 },
        { server: 1, delayMs: 20.48779761789398, upBytesPerSecond: 870304.2141391394 },
        { server: 2, delayMs: 20.04901144818916, upBytesPerSecond: 368138.6854938376 },
      ],
      lastMileBytesPerSecond: 293219.3724705258,
      peerDelayMs: 1.0632466055735306,
      commitMs: 34.63248444072329,
      expireMs: 3600000,
      firstBlock: 8,
      sizeBytes: 1803916,
      options: { giveUpAfter: 600, partitioning: { initialSize: 262144 }, redundancy: false },
      faults: [
        fault('eventsHeld', 65.01208017225211, 241.04839556564693, {
          server: 2,
          route: 1,
          share: 0.04939624936851621,
          count: 1,
        }),
        fault('lastMileSlow', 154.0176065184684, 21700.417153279115, {
          server: 2,
          route: 0,
          share: 0.02881967605184138,
          count: 3,
        }),
        fault('bytesCorrupted', 711.8010352171711, 1143.4947880008822, {
          server: 1,
          route: 2,
          share: 0.07061051045510461,
          count: 1,
        }),
        fault('pathSlow', 1321.7899317597703, 10634.629422257834, {
          server: 0,
          route: 2,
          share: 0.169852224177721,
          count: 4,
        }),
        fault('machineSleeps', 1846.931338393449, 72225.85679356825, {
          server: 0,
          route: 0,
          share: 0.5292847450300202,
          count: 3,
        }),
      ],
      healedMs: 74072.7881319617,
    },
  },
  {
    what: 'an empty file was created once, whether its server heard of it or not',
    scenario: {
      seed: 301,
      servers: 1,
      routes: [{ server: 0, delayMs: 73.45621512962026, upBytesPerSecond: 2680190.803593558 }],
      lastMileBytesPerSecond: 355159.53167942935,
      peerDelayMs: 76.97713388043559,
      commitMs: 0,
      expireMs: 3600000,
      firstBlock: 8,
      sizeBytes: 0,
      options: { giveUpAfter: 30, partitioning: { initialSize: 524288 }, redundancy: false },
      faults: [
        fault('serverCrash', 181.2067509300273, 25290.895978516182, {
          server: 0,
          route: 0,
          share: 0.04490045549966894,
          count: 2,
        }),
        fault('serverCrashUnrecorded', 223.99347597926234, 1107.9242846808431, {
          server: 0,
          route: 0,
          share: 0.11299697267680543,
          count: 3,
        }),
        fault('pathSlow', 2638.253730942211, 2570.229577644303, {
          server: 0,
          route: 0,
          share: 0.11046767141207552,
          count: 3,
        }),
        fault('serverBusy', 10545.05786922879, 14457.178697856125, {
          server: 0,
          route: 0,
          share: 0.06333940717597696,
          count: 3,
        }),
      ],
      healedMs: 25472.10272944621,
    },
  },
  {
    what: 'a home that was away when its mirror took the upload was believed when it did not know of it',
    scenario: {
      seed: 3339,
      servers: 2,
      routes: [
        { server: 0, delayMs: 107, upBytesPerSecond: 649_000 },
        { server: 1, delayMs: 88, upBytesPerSecond: 682_000 },
      ],
      lastMileBytesPerSecond: 961_000,
      peerDelayMs: 20,
      commitMs: 0,
      expireMs: 3_600_000,
      firstBlock: 8,
      sizeBytes: 88_744,
      options: { giveUpAfter: 600, partitioning: { initialSize: 524_288 } },
      faults: [fault('serverCrashUnrecorded', 230, 16_760, { server: 0, route: 0, share: 0.08, count: 3 })],
      healedMs: 16_990,
    },
  },
]

function fault(
  kind: FaultKind,
  atMs: number,
  forMs: number,
  more: Pick<FaultPlan, 'server' | 'route' | 'share' | 'count'>,
): FaultPlan {
  return { kind, atMs, forMs, ...more }
}
