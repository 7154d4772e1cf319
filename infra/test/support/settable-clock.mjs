// Loaded before a replica: at SIGUSR2 its clock is set back by a minute and a half.
let shiftMs = 0;
const now = Date.now;
Date.now = () => now() + shiftMs;
process.on('SIGUSR2', () => (shiftMs -= 90_000));
