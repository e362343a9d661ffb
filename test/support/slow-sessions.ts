// Sessions row by row and session by session, as docs/windows.md says it.

export interface SessionRow {
  readonly group: number;
  readonly t: bigint;
  readonly w: bigint;
}

export interface SlowLimits {
  readonly gapUs: bigint;
  readonly latenessUs: bigint;
  readonly sessionsMax: number;
  readonly groupsMax: number;
}

export interface SlowSession {
  readonly group: number;
  start: bigint;
  end: bigint;
  rows: number[];
  revised: number;
  finalAt: number;
}

/** Each row has its group and the watermark that it is judged by; `last` is W after all of them. */
export function slowSessions(rows: readonly SessionRow[], limits: SlowLimits, last: bigint) {
  const { gapUs, latenessUs, sessionsMax, groupsMax } = limits;
  let open: SlowSession[] = [];
  const final: SlowSession[] = [];
  const tooLate: string[] = [];
  let dropped = 0;
  const close = (w: bigint, sequence: number) => {
    const gone = open.filter(({ end }) => end + latenessUs <= w);
    for (const one of gone) one.finalAt = sequence + 1;
    open = open.filter(({ end }) => end + latenessUs > w);
    final.push(...gone);
  };
  rows.forEach(({ group, t, w }, r) => {
    close(w, r);
    const own = t + gapUs;
    const overlaps = (g: number) => open.filter((s) => s.group === g && s.start < own && t < s.end);
    let into = group;
    let met = overlaps(group);
    if (met.length === 0 && own + latenessUs <= w) {
      tooLate.push(`${group} ${t}`);
      return;
    }
    const keys = new Set(open.map((s) => s.group).filter((g) => g !== 0));
    if (met.length === 0 && !keys.has(group) && keys.size >= groupsMax) {
      into = 0;
      met = overlaps(0);
    }
    if (met.length === 0 && open.length >= sessionsMax) {
      dropped++;
      return;
    }
    const joined: SlowSession = {
      group: into,
      start: t,
      end: own,
      rows: [r],
      revised: 0,
      finalAt: 0,
    };
    for (const one of met) {
      if (one.start < joined.start) joined.start = one.start;
      if (one.end > joined.end) joined.end = one.end;
      joined.rows.push(...one.rows);
      joined.revised += one.revised;
    }
    if (w >= joined.end) joined.revised++;
    open = [...open.filter((s) => !met.includes(s)), joined];
  });
  close(last, rows.length);
  return { open, final, tooLate: tooLate.sort(), dropped };
}

export function shown(sessions: readonly SlowSession[]): string[] {
  return sessions
    .map(
      ({ group, start, end, rows, revised, finalAt }) =>
        `${start}-${end} g${group} r${revised} f${finalAt} ${[...rows].sort((a, b) => a - b)}`,
    )
    .sort();
}
