import { simulateShape } from './proofs/drift/simulated.ts';
import { flap } from './proofs/drift/flapping.ts';
import { recorded } from './proofs/drift/recorded.ts';
const t=performance.now();
console.log(JSON.stringify(simulateShape({phi:.98,cycles:true,metrics:8},1,2)), performance.now()-t);
console.log(flap(1,60), performance.now()-t);
for (const r of recorded()) console.log(JSON.stringify(r)); console.log(performance.now()-t);
