import { describe, expect, test } from 'vitest';
import { emptyPropagation, observeDelay, PROPAGATION_BOUNDS_MS } from '../../../gossip/edge/propagation.ts';
import { RoundTrip } from '../../../gossip/edge/round-trip.ts';
import { endpoint, Peer, Realm } from '../support/mesh.ts';

describe('pings', () => {
  test('tell the round trip and the skew of the other clock', () => {
    const trip = new RoundTrip();
    trip.pinged(1, 100, 50_000);
    trip.acked(1, 110, 50_000 + 5 + 2_000);
    expect(trip.pulse).toEqual({ rttMs: 10, skewMs: 2_000, heardAtMs: 110 });
  });

  test('believe the skew of the shortest of the last eight round trips', () => {
    const trip = new RoundTrip();
    const ping = (seq: number, rttMs: number, theirs: number): void => {
      trip.pinged(seq, 0, 0);
      trip.acked(seq, rttMs, theirs);
    };
    ping(1, 2, 301); // its half of the way is 1 ms
    ping(2, 80, 379); // the way there took it all
    expect(trip.pulse).toMatchObject({ rttMs: 80, skewMs: 300 });
    for (let seq = 3; seq < 12; seq++) ping(seq, 4, 502);
    expect(trip.pulse).toMatchObject({ rttMs: 4, skewMs: 500 });
  });

  test('know no skew of a peer that does not tell its time, or tells one of another century', () => {
    const trip = new RoundTrip();
    trip.pinged(1, 0, 0);
    trip.acked(1, 3, undefined);
    trip.pinged(2, 10, 10);
    trip.acked(2, 13, Date.UTC(2100, 0));
    expect(trip.pulse).toEqual({ rttMs: 3, skewMs: undefined, heardAtMs: 13 });
  });

  test('tell the one that is pinged as much as the one that pings', () => {
    const trip = new RoundTrip();
    trip.wasPinged({ wallMs: 9_000 }, 1, 10_000); // they measured nothing yet
    expect(trip.pulse).toBeUndefined();
    trip.wasPinged({ wallMs: 9_000, rttMs: 20 }, 2, 10_000);
    expect(trip.pulse).toEqual({ rttMs: 20, skewMs: -990, heardAtMs: 2 });
  });

  test('take no ack for one that was not asked for', () => {
    const trip = new RoundTrip();
    trip.acked(0, 5, 5);
    trip.pinged(1, 10, 10);
    trip.acked(2, 11, 11);
    expect(trip.pulse).toBeUndefined();
  });
});

describe('the delay of a change', () => {
  test('is counted with the skew taken out where it is known, and apart where it is not', () => {
    const delays = emptyPropagation();
    observeDelay(delays, 10_000, 4_000, 6_020); // their clock is 4 s ahead
    observeDelay(delays, 10_000, undefined, 10_007);
    expect(delays.corrected).toMatchObject({ sumMs: 20 });
    expect(delays.corrected.counts[PROPAGATION_BOUNDS_MS.indexOf(25)]).toBe(1);
    expect(delays.raw).toMatchObject({ sumMs: 7 });
    expect(delays.raw.counts[PROPAGATION_BOUNDS_MS.indexOf(10)]).toBe(1);
  });

  test('that a stamp from another century would make is bounded', () => {
    const delays = emptyPropagation();
    observeDelay(delays, 0, undefined, Date.UTC(2026, 0));
    observeDelay(delays, Date.UTC(2100, 0), undefined, Date.UTC(2026, 0));
    expect(delays.raw.sumMs).toBe(600_000);
    expect(delays.raw.counts.at(-1)).toBe(1);
    expect(delays.raw.counts[0]).toBe(1);
  });
});

test('real nodes measure each other, and agree on the digest of what they hold', async () => {
  using realm = new Realm();
  await using a = await Peer.start(realm, 'a');
  await using b = await Peer.start(realm, 'b', { seeds: [a.gossip.address] });
  const measured = (peer: Peer): boolean => peer.gossip.stats().peers.some(({ skewMs }) => skewMs !== undefined);
  await expect.poll(() => measured(a) && measured(b)).toBe(true);
  const [health] = a.gossip.stats().peers;
  expect(health).toMatchObject({ name: 'b', accusers: 0 });
  expect(health!.rttMs).toBeLessThan(1_000);
  expect(Math.abs(health!.skewMs!)).toBeLessThan(500); // one machine, one clock

  b.gossip.publish([endpoint('b')]);
  await a.view.untilEndpoints('b/web/http');
  // The first delta over a new link may come twice, by the link first: the second one comes by broadcast alone.
  await expect
    .poll(
      () => {
        b.gossip.publish([endpoint('b', 'web', { version: `v${performance.now()}` })]);
        return a.gossip.stats().propagation.corrected.counts.reduce((sum, count) => sum + count, 0);
      },
      { timeout: 15_000, interval: 250 },
    )
    .toBeGreaterThan(0);
  await expect.poll(() => a.gossip.stats().registerDigest === b.gossip.stats().registerDigest).toBe(true);
});
