import { expect, test } from 'vitest';
import { ServiceRates } from '../../../agent/demo/service-rates.ts';

/** Counts of one service as an agent exports them. */
function scrape(ok: number, failed: number, direction = 'outbound'): string {
  const labels = `direction="${direction}",source="spiffe://demo.weft/ns/shop/sa/web",destination="shop/cart",protocol="http"`;
  const all = ok + failed;
  return `# HELP weft_proxy_requests_total HTTP requests answered.
# TYPE weft_proxy_requests_total counter
weft_proxy_requests_total{${labels},status_class="2xx"} ${ok}
weft_proxy_requests_total{${labels},status_class="5xx"} ${failed}
weft_proxy_request_duration_seconds_bucket{le="0.001",${labels}} 0
weft_proxy_request_duration_seconds_bucket{le="0.002",${labels}} ${all / 2}
weft_proxy_request_duration_seconds_bucket{le="0.004",${labels}} ${all}
weft_proxy_request_duration_seconds_bucket{le="+Inf",${labels}} ${all}
`;
}

test('what rose since the oldest scrape kept is the rate, added up over agents', () => {
  const rates = new ServiceRates();
  rates.add('n1', scrape(1_000, 0), 0);
  rates.add('n1', scrape(1_190, 10), 2_000);
  rates.add('n2', scrape(0, 0), 0);
  rates.add('n2', scrape(100, 0), 1_000);
  const { perSecond, successRatio, p50Ms, p99Ms } = rates.of('shop/cart')!;
  expect(perSecond).toBeCloseTo(200);
  expect(successRatio).toBeCloseTo(290 / 300);
  expect(p50Ms).toBeCloseTo(2);
  expect(p99Ms).toBeCloseTo(3.96);
});

test('what receivers count is not counted twice', () => {
  const rates = new ServiceRates();
  rates.add('n1', scrape(0, 0, 'inbound'), 0);
  rates.add('n1', scrape(100, 0, 'inbound'), 1_000);
  expect(rates.of('shop/cart')).toBeUndefined();
});

test('an agent that was started again begins anew instead of running backwards', () => {
  const rates = new ServiceRates();
  rates.add('n1', scrape(1_000, 0), 0);
  rates.add('n1', scrape(10, 0), 1_000);
  expect(rates.of('shop/cart')).toBeUndefined();
  rates.add('n1', undefined, 2_000);
  rates.add('n1', scrape(20, 0), 3_000);
  rates.add('n1', scrape(70, 0), 4_000);
  expect(rates.of('shop/cart')?.perSecond).toBeCloseTo(50);
});
