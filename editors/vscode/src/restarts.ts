/**
 * Runs one start or restart after the other. While one is waiting, a further request joins it: pressing the key five
 * times restarts once more, not five times.
 */
export class Restarts {
  private running: Promise<void> = Promise.resolve();
  private waiting: Promise<void> | undefined;

  constructor(private readonly action: () => Promise<void>) {}

  request(): Promise<void> {
    if (this.waiting === undefined) {
      const next = this.running.then(() => {
        this.waiting = undefined;
        return this.action();
      });
      this.waiting = next;
      this.running = next.catch(() => undefined);
    }
    return this.waiting;
  }
}

/** Says after each crash how long to wait before the next start, in milliseconds; null: give up. */
export class Crashes {
  private times: number[] = [];

  constructor(
    private readonly most = 3,
    private readonly span = 180_000,
  ) {}

  next(now: number = Date.now()): number | null {
    this.times = [...this.times.filter((time) => now - time < this.span), now];
    return this.times.length > this.most ? null : 500 * 2 ** (this.times.length - 1);
  }

  forget(): void {
    this.times = [];
  }
}
