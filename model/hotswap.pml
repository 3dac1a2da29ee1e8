/*
 * The protocol by which pipelines change one endpoint: the lock, the journal, and writes that are
 * compared with what was read. README.md says what is left out, and where each rule is in the code.
 *
 *	-DAZURE         the server knows no fences, and a read may show the version before
 *	-DFROZEN        a process may be stopped between its look at the lock and its write, for any time
 *	-DFENCE_FIRST   a run shows the server its fence before it does anything else
 *	-DSTART=CLOSED  nothing is live at first
 *	-DLAGS=2        two reads may be stale instead of one
 *	-DBREAK_…       one rule is broken: its assertion must fail
 *
 * An atomic block is one call and what is decided on its answer. Between two blocks anything may happen.
 */

#ifndef START
#define START BLUE
#endif
#ifndef FAULTS
#define FAULTS 2 /* crashes, lost replies, stale reads and expiries, together */
#endif
#ifndef LAGS
#define LAGS 1 /* stale reads among them */
#endif
#ifndef HANDS
#define HANDS 1 /* writes by a person */
#endif
#ifndef ROLLOUTS
#define ROLLOUTS 8 /* more than a search begins; none is number 0 */
#endif

/* Traffic. BLUE and GREEN are the slots as well: all the traffic to that slot. */
#define CLOSED 0
#define BLUE 1
#define HALF 2 /* the first step of a swap, either way */
#define GREEN 3
#define free_slot(t) (t == BLUE -> GREEN : BLUE)
#define serves(t, s) ((t) == (s) || (t) == HALF)

/* What a slot holds, by fingerprint: 0 is nothing, a rollout's number is what it deployed. */
#define OLD 14
#define BYHAND 15

mtype = { Planned, Deploying, Deployed, Tested, Swapping1, Watching1, Swapping2, Watching2, RollingBack,
          Promoted, RolledBack, Refused, Failed, Abandoned };
mtype = { done, lost, stale };  /* replies to a write */
mtype = { good, bad, unknown }; /* verdicts */

#define terminal(p) (p == Promoted || p == RolledBack || p == Refused || p == Failed || p == Abandoned)
#define moving(p) (p == Swapping1 || p == Watching1 || p == Swapping2 || p == Watching2 || p == RollingBack)

/* ---- what is there ---- */

byte traffic = START, before_that = START; /* a stale read shows the version before */
byte holds[4];                             /* of BLUE and GREEN */
byte largest;                              /* the fence that the server has seen */

byte fence, holder;                        /* the lock: its number, and who holds it: 1, 2, or 0 for nobody */
bit expired;

mtype phase[ROLLOUTS];                     /* the journal: the newest entry of the rollout with that fence, */
byte author[ROLLOUTS];                     /* the fence of who wrote it, */
byte slot[ROLLOUTS];                       /* and its plan: where the candidate goes, */
byte before[ROLLOUTS], held_before[ROLLOUTS]; /* the traffic, and what the slot that was live held */

byte faults = FAULTS, hands = HANDS, lags = LAGS;

/* ---- what is watched for: the runner expects of a broken rule that its assertion fails ---- */

bit slot_is_chosen_once = 1;         /* rule 2 */
bit only_the_tested_goes_live = 1;   /* rules 2 and 4 */
bit swap_needs_what_was_planned = 1; /* rule 3 */
bit one_writer = 1;                  /* rules 3 and 5 */
bit fence_only_grows = 1;            /* rule 3 */
bit intent_is_journaled = 1;         /* rule 5 */
bit every_end_is_told = 1;           /* rule 5 */
bit undone_is_undone = 1;            /* rules 5 and 7 */
bit promoted_is_live = 1;            /* rules 5 and 7 */
bit never_to_zero = 1;               /* rule 6 */
bit rollback_restores = 1;           /* rule 6 */
bit unknown_never_promotes = 1;      /* rule 10 */

#define MUST(rule, so) if :: (so) :: else -> rule = 0; assert(rule) fi

/*
 * What a person writes between our read and our write is overwritten unseen: that window is documented,
 * and these say that it was hit. It begins at the version that was read, and ends with the first attempt
 * to write.
 */
bit window[3], hand_moved[3], hand_deployed[3];

byte by; /* the rollout that wrote the traffic last, 0 for a person */

/* own is what the endpoint may show while rollout r moves its traffic. */
#define own(r, t) (t == before[r] || t == slot[r] || t == HALF && before[r] != CLOSED)
#define live_is_same(r) (before[r] == CLOSED || holds[before[r]] == held_before[r])

#if !defined AZURE && !defined BREAK_NO_FENCE
#define refused(fence) (fence < largest)
#else
#define refused(fence) false
#endif

#ifdef FROZEN
#define TOGETHER
#else
#define TOGETHER atomic /* the lock outlives the write that it was asked for */
#endif

#ifdef FROZEN
#define ALSO || phase[i] == Planned /* the entry came late, of a process that can do no more */
#else
#define ALSO
#endif
#define CRASH if :: true :: faults > 0 -> faults--; goto crash fi

/* ---- the lock ---- */

/* acquire reads the lock and writes it with If-Match, which holds while nothing of it has changed. */
inline acquire() {
	do
	:: atomic {
		if
		:: holder == 0
#ifndef BREAK_NO_TAKEOVER
		:: holder != 0 && expired
		:: holder != 0 && !expired && faults > 0 -> faults--; expired = 1
#endif
		fi;
		saw_fence = fence; saw_holder = holder; saw_expired = expired
	   }
	   atomic {
		fence > 0 || me == 1; /* whoever is the first is called 1 */
		if
#ifdef BREAK_BLIND_LOCK
		:: true ->
#else
		:: !(fence == saw_fence && holder == saw_holder && expired == saw_expired)
		:: fence == saw_fence && holder == saw_holder && expired == saw_expired ->
#endif
			MUST(fence_only_grows, saw_fence + 1 > fence);
			fence = saw_fence + 1; holder = me; expired = 0; mine = fence;
			saw_fence = 0; saw_holder = 0; saw_expired = 0;
			break
		fi
	   }
	od
}

/* still_mine renews the lock before a write, or finds that another has it. */
inline still_mine() {
	atomic {
		CRASH;
#ifndef BREAK_EXPIRED_WRITE
		if
		:: fence == mine && holder == me -> expired = 0
		:: else -> goto overtaken
		fi
#endif
	}
}

/* ---- the journal ---- */

/* enter appends an entry: of two with one number the store takes one. */
inline enter(r, to) {
	TOGETHER {
		still_mine();
		atomic {
			if
			:: phase[r] == at && author[r] == after -> phase[r] = to; author[r] = mine; at = to; after = mine
#ifdef BREAK_ENTRY_TWICE
			:: else -> phase[r] = to; author[r] = mine; at = to; after = mine
#else
			:: else -> goto overtaken
#endif
			fi;
			MUST(undone_is_undone, !(to == Abandoned || to == Refused || to == RolledBack) || by != r || traffic == before[r]);
			MUST(promoted_is_live, to != Promoted || by != r || traffic == slot[r]);
			MUST(unknown_never_promotes, to != Promoted || verdict == good)
		}
	}
}

/* ---- the endpoint ---- */

inline look() {
	CRASH;
	if
	:: seen = traffic; hand_moved[me] = 0
#ifdef AZURE
	:: faults > 0 && lags > 0 && before_that != traffic -> faults--; lags--; seen = before_that; hand_moved[me] = (by == 0)
#endif
	fi;
	window[me] = 1
}

/* look_long repeats the read for longer than it may lag. */
inline look_long() {
	CRASH;
	seen = traffic; hand_moved[me] = 0; window[me] = 1
}

/* shut ends the window. */
inline shut() { window[me] = 0; hand_moved[me] = 0; seen = 0 }

/* compare reads whether the candidate and what was live still are what they were. */
inline compare(r) {
	CRASH;
	hand_deployed[me] = 0;
#ifdef BREAK_TRUST_SLOT
	same = live_is_same(r)
#else
	same = holds[slot[r]] == r && live_is_same(r)
#endif
}

#define step_before(r) (phase[r] == Swapping2 && before[r] != CLOSED -> HALF : before[r])

/* take is the effect of a traffic write in the name of rollout r. */
inline take(r, to) {
	MUST(never_to_zero, traffic == CLOSED || to != CLOSED);
	MUST(intent_is_journaled, phase[r] == Swapping1 || phase[r] == Swapping2 || phase[r] == RollingBack);
	MUST(slot_is_chosen_once, to == (phase[r] == Swapping1 -> HALF : (phase[r] == Swapping2 -> slot[r] : before[r])));
	MUST(swap_needs_what_was_planned, traffic == to || traffic == step_before(r) || phase[r] == RollingBack && own(r, traffic) || hand_moved[me]);
	MUST(swap_needs_what_was_planned, phase[r] == RollingBack || live_is_same(r) || hand_deployed[me]);
	MUST(only_the_tested_goes_live, phase[r] == RollingBack || holds[slot[r]] == r || hand_deployed[me]);
	MUST(rollback_restores, phase[r] != RollingBack || live_is_same(r) || hand_deployed[me]);
	if
	:: traffic != to -> before_that = traffic; traffic = to
	:: else
	fi;
	by = r
}

/* write sends the traffic once: refused, done, or done or not with its reply lost. */
inline write(r, to) {
	TOGETHER {
		still_mine();
		atomic {
#ifndef FROZEN
			MUST(one_writer, fence == mine && holder == me && !expired);
#endif
			if
			:: refused(mine) -> reply = stale
			:: !refused(mine) ->
				largest = mine;
				if
				:: take(r, to); reply = done
				:: faults > 0 -> faults--; take(r, to); reply = lost
				:: faults > 0 -> faults--; reply = lost
				fi
			fi;
			shut()
		}
	}
}

/* move makes one step of the traffic of rollout r, of which the endpoint shows from. */
inline move(r, from, to, next) {
	atomic {
		compare(r);
		if
		:: same -> same = 0
		:: !same -> goto turn_back
		fi
	}
	atomic {
		look();
		if
		:: seen != from -> look_long() /* a read that surprises is repeated */
		:: seen == from
		fi;
		if
		:: seen == from
#ifdef BREAK_NO_BEFORE
		:: seen != from
#else
		:: seen != from -> goto halt
#endif
		fi
	}
#ifndef BREAK_NO_JOURNAL
	enter(r, next);
#endif
#ifdef BREAK_CHOOSE_AGAIN
	atomic { look(); again = (to == HALF -> HALF : free_slot(seen)) }
#endif
	do
	::
#ifdef BREAK_CHOOSE_AGAIN
		write(r, again);
#else
		write(r, to);
#endif
#ifdef BREAK_BLIND_RETRY
		if
		:: reply == lost -> write(r, to)
		:: reply != lost
		fi;
#endif
		atomic { /* whatever came back, only a read is believed */
			if
			:: reply == stale -> goto overtaken
			:: reply != stale
			fi;
			look_long();
			if
			:: seen == to -> reply = 0; shut(); break
			:: seen == from && from != to && reply == lost -> reply = 0 /* not taken: again, */
			:: seen == from && from != to -> reply = 0; goto turn_back  /* or no more */
			:: seen != to && (seen != from || from == to) -> reply = 0; goto halt
			fi
		}
	od
#ifdef BREAK_NO_JOURNAL
	;
	enter(r, next)
#endif
}

/* watch judges a step. What is not known is not good. */
inline watch() {
	if
	:: verdict = good
	:: verdict = bad
	:: verdict = unknown
	fi;
	if
	:: verdict == good
#ifdef BREAK_UNKNOWN_IS_GOOD
	:: verdict == unknown
#endif
	:: else -> verdict = 0; goto turn_back
	fi
}

/* ---- one run of a pipeline after the other, until one ends by itself ---- */

proctype pipeline(byte me) {
	byte mine, r, at, after, seen, saw_fence, saw_holder;
	bit saw_expired, same, cut; /* cut: r is a rollout that was cut off, not our own */
	mtype reply, verdict;
#ifdef BREAK_CHOOSE_AGAIN
	byte again;
#endif

start:	acquire();

#ifdef FENCE_FIRST
	TOGETHER {
		still_mine();
		atomic {
			if
			:: refused(mine) -> goto overtaken
			:: !refused(mine) -> largest = mine
			fi
		}
	}
#endif
#ifndef BREAK_NO_SETTLE
	/* Settle: what the newest rollout left open is resumed or undone. */
	atomic {
		CRASH;
		r = mine - 1;
		do
		:: r > 0 && phase[r] == 0 -> r--
		:: else -> break
		od;
		if
		:: r == 0 || terminal(phase[r]) -> goto plan
		:: else -> cut = 1; at = phase[r]; after = author[r]
		fi
	}
	if
	:: moving(at)
	:: !moving(at) -> enter(r, Abandoned); goto leave
	fi;
	atomic {
#ifdef BREAK_FIRST_READ
		look();
#else
		look_long();
#endif
		if
		:: seen == slot[r] && at == Watching2
		:: seen == slot[r] && at == Swapping2
		:: seen == before[r] && at != RollingBack -> shut(); goto abandon
		:: else -> goto turn_back
		fi
	}
	enter(r, Watching2); goto bake;
abandon:
	enter(r, Abandoned); goto leave;
#endif

plan:	atomic {
		r = mine; at = 0; after = 0;
		look();
		if
		:: seen == HALF -> goto leave /* no slot is free */
		:: else
		fi;
		before[r] = seen; held_before[r] = holds[seen]; slot[r] = free_slot(seen);
		shut()
	}
	enter(r, Planned);

	/* Deploy into the slot, which must still have no traffic. */
	enter(r, Deploying);
	atomic {
		look();
		if
		:: serves(seen, slot[r]) -> goto refuse
		:: else
		fi
	}
	TOGETHER {
		still_mine();
		atomic {
#ifndef FROZEN
			MUST(one_writer, fence == mine && holder == me && !expired);
#endif
			if
			:: refused(mine) -> goto overtaken
			:: !refused(mine) -> largest = mine
			fi;
			MUST(intent_is_journaled, phase[r] == Deploying);
			MUST(only_the_tested_goes_live, !serves(traffic, slot[r]) || hand_moved[me]);
			holds[slot[r]] = r;
			shut()
		}
	}
	enter(r, Deployed);

	/* Test: it is the same deployment before and after, and it passes. */
	atomic {
		compare(r);
		if
		:: same
		:: true -> same = 0; goto refuse
		fi
	}
	atomic {
		compare(r);
		if
		:: same -> same = 0
		:: !same -> goto refuse
		fi
	}
	enter(r, Tested);

	/* Swap, in two steps where something is live. */
	if
	:: before[r] == CLOSED -> move(r, CLOSED, slot[r], Swapping2)
	:: before[r] != CLOSED ->
		move(r, before[r], HALF, Swapping1);
		enter(r, Watching1);
		watch();
		move(r, HALF, slot[r], Swapping2)
	fi;
	enter(r, Watching2);
bake:	watch();
	enter(r, Promoted);
	goto leave;

	/* Roll back: restores the traffic of before, or halts. */
turn_back:
	if
	:: !moving(at) -> goto refuse
	:: moving(at)
	fi;
	atomic {
		look();
		if
		:: !own(r, seen) -> look_long()
		:: own(r, seen)
		fi;
		if
		:: !own(r, seen) -> goto halt
#ifndef BREAK_TO_ZERO
		:: own(r, seen) && before[r] == CLOSED -> goto halt
		:: own(r, seen) && before[r] != CLOSED
#else
		:: own(r, seen)
#endif
		fi
	}
	atomic {
		CRASH;
		hand_deployed[me] = 0;
		if
		:: live_is_same(r)
#ifdef BREAK_TRUST_BEFORE
		:: !live_is_same(r)
#else
		:: !live_is_same(r) -> goto halt
#endif
		fi
	}
	enter(r, RollingBack); /* again where it was cut off: who had it before can enter nothing more */
	write(r, before[r]);
	atomic {
		if
		:: reply == stale -> goto overtaken
		:: reply != stale -> reply = 0
		fi;
		look_long();
		if
		:: seen == before[r] -> shut()
		:: seen != before[r] && own(r, seen) -> goto turn_back
		:: !own(r, seen) -> goto halt
		fi
	}
	enter(r, RolledBack);
	goto leave;

refuse:	enter(r, Refused);
	goto leave;
halt:	/* someone else wrote: don't fight, say what is left */
	enter(r, Failed);

leave:	atomic {
		CRASH;
		verdict = 0;
		shut();
		if
		:: cut -> cut = 0; goto plan
		:: !cut
		fi;
		if
		:: fence == mine && holder == me -> holder = 0; expired = 0
		:: else
		fi;
		goto stop
	}

	/* Another rollout has the lock: nothing is ours to write any more. Or we are killed, and the lock
	   may be taken once that is known, or once it expires. Either way there is a next run. */
overtaken:
crash:	atomic {
		if
		:: fence == mine && holder == me -> expired = 1
		:: else
		fi;
		shut(); hand_deployed[me] = 0;
		mine = 0; r = 0; at = 0; after = 0; saw_fence = 0; saw_holder = 0; saw_expired = 0; same = 0; cut = 0; reply = 0; verdict = 0;
		goto start
	}
stop:	skip
}

/* ---- a person, who may do anything but take the traffic to 0 ---- */

inline move_by_hand(to) {
	hands--;
	before_that = traffic; traffic = to; by = 0;
	hand_moved[1] = window[1]; hand_moved[2] = window[2]
}

inline deploy_by_hand(s) {
	hands--;
	holds[s] = BYHAND;
	hand_deployed[1] = 1; hand_deployed[2] = 1
}

init {
	byte i;
	atomic {
		if
		:: START != CLOSED -> holds[START] = OLD
		:: else
		fi;
		run pipeline(1); run pipeline(2)
	}
	do
	:: atomic { hands > 0 && traffic != BLUE && holds[BLUE] -> move_by_hand(BLUE) }
	:: atomic { hands > 0 && traffic != GREEN && holds[GREEN] -> move_by_hand(GREEN) }
	:: atomic { hands > 0 && traffic != HALF && holds[BLUE] && holds[GREEN] -> move_by_hand(HALF) }
	:: atomic { hands > 0 && holds[BLUE] -> deploy_by_hand(BLUE) }
	:: atomic { hands > 0 && holds[GREEN] -> deploy_by_hand(GREEN) }
	:: _nr_pr == 1 -> break /* both pipelines have ended */
	od;
	atomic {
		do
		:: i < ROLLOUTS -> MUST(every_end_is_told, phase[i] == 0 || terminal(phase[i]) ALSO); i++
		:: else -> break
		od
	}
}
