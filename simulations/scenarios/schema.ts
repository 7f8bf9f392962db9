/**
 * What a scenario file may say. One schema holds type, bounds, default and meaning of every field; users write such files
 * as well, so a mistake is answered with the field, the value and what to write instead.
 * @module
 */
import { z } from 'zod';

const seconds = z
  .number()
  .min(0)
  .max(7 * 86_400);
const ratio = z.number().min(0).max(1);

/** Which hosts a step befalls: `count` or `share` of those it can befall, chosen by the seed, or these by `hosts`. */
const who = {
  count: z.int().min(1).max(10_000).optional().describe('This many hosts, chosen by the seed. Default: 1.'),
  share: ratio.optional().describe('This share of the hosts instead of a count; rounded up.'),
  hosts: z.array(z.string()).min(1).optional().describe('These hosts, by name: n0, n1 and so on.'),
  region: z.string().optional().describe('All hosts of this region: r0, r1 and so on.'),
};

const when = {
  at: seconds.describe('Seconds after the mesh has formed.'),
  every: seconds.min(0.01).optional().describe('Do it again after each so many seconds.'),
  times: z.int().min(1).max(100_000).default(1).describe('How often in all, with `every`.'),
};

/** Which document, and at which nodes; they have to run. */
const document = {
  ...when,
  ...who,
  document: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
    .default('routes')
    .describe('Its name.'),
  eachSide: z.boolean().default(false).describe('At one node in each part of a partition instead, at the same time.'),
};

export const step = z.discriminatedUnion('do', [
  z
    .strictObject({
      do: z.literal('crash'),
      ...when,
      ...who,
      how: z
        .enum(['dark', 'killed'])
        .default('dark')
        .describe('`dark`: the host is gone and nothing answers. `killed`: the process is, and its port refuses.'),
    })
    .describe('Ends processes without a goodbye.'),
  z.strictObject({ do: z.literal('leave'), ...when, ...who }).describe('Processes say goodbye and end.'),
  z
    .strictObject({
      do: z.literal('restart'),
      ...when,
      ...who,
      disk: z
        .enum(['keep', 'none', 'stale'])
        .default('keep')
        .describe('What is left of the disk: all, nothing, or what `save-disks` saved.'),
    })
    .describe('Starts processes where none run. Default: on all such hosts.'),
  z.strictObject({ do: z.literal('join'), ...when, count: who.count }).describe('New hosts start.'),
  z
    .strictObject({
      do: z.literal('stall'),
      ...when,
      ...who,
      seconds: z
        .tuple([seconds, seconds])
        .describe('Shortest and longest time; while it stands still a process neither reads, sends nor fires timers.'),
    })
    .describe('Processes stand still, as under SIGSTOP or a long turn of the event loop.'),
  z
    .strictObject({
      do: z.literal('partition'),
      ...when,
      shares: z.array(ratio).min(2).max(16).optional().describe('Size of each part, as shares of all hosts.'),
      region: z.string().optional().describe('Instead of shares: this region against the rest.'),
    })
    .describe('Splits the hosts into parts that do not reach each other.'),
  z
    .strictObject({
      do: z.literal('cut-pairs'),
      ...when,
      share: ratio.describe('Share of all pairs of hosts.'),
      ways: z.enum(['both', 'one']).default('both').describe('Whether a pair is cut in both directions or in one.'),
    })
    .describe('Cuts random pairs of hosts from each other. Pairs cut before are mended.'),
  z
    .strictObject({
      do: z.literal('one-way'),
      ...when,
      ...who,
      lose: z.enum(['sending', 'receiving']).describe('What no longer works, with all other hosts.'),
    })
    .describe('Hosts can hear but not speak, or speak but not hear.'),
  z.strictObject({ do: z.literal('heal'), ...when }).describe('Lifts every cut.'),
  z.strictObject({ do: z.literal('loss'), ...when, ratio }).describe('Sets how many packets are lost.'),
  z
    .strictObject({
      do: z.literal('clock'),
      ...when,
      ...who,
      jumpSeconds: z.number().default(0).describe('Added to the wall clock; negative = back.'),
      rate: z.number().min(0.5).max(2).optional().describe('How fast the monotonic clock runs; 1 = right.'),
    })
    .describe('Clocks jump or run at another speed.'),
  z
    .strictObject({ do: z.literal('slow-disk'), ...when, ...who, writeSeconds: seconds })
    .describe('Every write takes this long; a crash loses those under way.'),
  z
    .strictObject({ do: z.literal('save-disks'), ...when, ...who })
    .describe('Copies disks, for a restart from stale ones.'),
  z
    .strictObject({ do: z.literal('change'), ...when, ...who })
    .describe('Nodes change what they offer, besides the changes of `workload`.'),
  z
    .strictObject({ do: z.literal('turn-hostile'), ...when, ...who })
    .describe("Admitted members begin to lie: forged deaths, claims on others' endpoints, replays, floods."),
  z
    .strictObject({
      do: z.literal('write-document'),
      ...document,
      poison: ratio.default(0).describe('Share of the nodes on which it can not be taken into use.'),
      kilobytes: z.number().min(0.1).max(200).default(0.3).describe('Its size; more than 64 is pulled, not pushed.'),
    })
    .describe('An operator writes the next revision of a document.'),
  z.strictObject({ do: z.literal('delete-document'), ...document }).describe('An operator deletes a document.'),
  z
    .strictObject({ do: z.literal('forge-document'), ...document })
    .describe('Members send revisions that no operator, or none who may, has signed.'),
  z
    .strictObject({ do: z.literal('save-documents'), ...when, ...who })
    .describe('Takes a snapshot of all that a node holds.'),
  z
    .strictObject({ do: z.literal('restore-documents'), ...when, ...who })
    .describe('Hands the snapshot to a node; what is newer in the mesh stays.'),
]);

export type Step = z.output<typeof step>;

export const scenario = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,40}$/)
    .describe('As typed after `weft simulate`.'),
  about: z.string().min(10).max(400).describe('What befalls the mesh, and what should come of it.'),
  nodes: z.int().min(1).max(20_000).default(100).describe('Hosts, unless --nodes says otherwise.'),
  regions: z.int().min(1).max(16).default(1).describe('Hosts are spread over so many regions: r0, r1 and so on.'),
  network: z
    .strictObject({
      latencyMs: z
        .tuple([z.number().min(0.01), z.number().max(10_000)])
        .default([0.2, 1])
        .describe('One way, within a region: fastest and slowest; with `lognormal`, 1 of 100 is slower.'),
      shape: z.enum(['uniform', 'lognormal']).default('uniform').describe('How latencies lie between the two.'),
      regionLatencyMs: z.number().min(0).max(2_000).default(30).describe('Added one way between regions.'),
      lossRatio: ratio.default(0).describe('Packets lost; TCP sends them again after 200 ms, 400 ms and so on.'),
      megabitsPerSecond: z.number().positive().optional().describe('What a host can send. Default: no limit.'),
    })
    .prefault({}),
  workload: z
    .strictObject({
      endpointsPerNode: z.int().min(1).max(200).default(2).describe('What each node offers.'),
      changesPerSecond: z.number().min(0).max(1_000).default(1).describe('Changes in the whole mesh, evenly spread.'),
    })
    .prefault({}),
  start: z
    .enum(['formed', 'storm'])
    .default('formed')
    .describe('`formed`: time begins when all nodes know each other. `storm`: when they all start at once.'),
  seconds: seconds.min(1).describe('Virtual time to run, counted from the start.'),
  settleSeconds: seconds.min(1).default(20).describe('Further time after which all views must be equal.'),
  steps: z.array(step).max(1_000).default([]).describe('What befalls the mesh.'),
  expect: z
    .strictObject({
      detectSeconds: seconds.optional().describe('Every node knows of every end within this.'),
      agreeSeconds: seconds.optional().describe('All views agree within this after each heal, join or restart.'),
      changeSeconds: seconds.optional().describe('99 of 100 changes are shown by all within this.'),
      documentSeconds: seconds.optional().describe('Every node that can hear of it holds a document within this.'),
      bytesPerNodePerSecond: z
        .number()
        .positive()
        .default(100_000)
        .describe('No node sends more, averaged over any ten seconds.'),
    })
    .prefault({}),
});

export type Scenario = z.output<typeof scenario>;
