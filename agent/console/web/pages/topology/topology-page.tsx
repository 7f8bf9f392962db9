/** What is broken, who feels it, and since when. @module */
import type { Topology } from '../../../shapes/topology.ts';
import { useRange } from '../../app/time.ts';
import { useTopic } from '../../state/hooks.ts';
import { ErrorState, Loading } from '../../ui/states.tsx';

export function TopologyPage() {
  const { api } = useRange();
  const { data, error } = useTopic<Topology>(`/topology?view=service&${api}`);
  if (error !== undefined) return <ErrorState error={error} />;
  if (data === undefined) return <Loading what="the topology" />;
  return (
    <div className="page">
      <h1>{data.problems.length} problems</h1>
    </div>
  );
}
