/* `ema_cross` as one would write it by hand for one run: what the kernel's speed is held against.

   The same decisions and the same money over the same columns: averages of the middle price, a crossing, an order that
   reaches the venue a latency later and fills at the far side up to the size displayed, the daily loss limit, cancels.
   What it leaves out is what the kernel is for: rows for every decision, other strategies, other events, other orders. */

#include <math.h>
#include <stdint.h>

enum { FLAT, ENTERING, LONG_, LEAVING, SITTING_OUT };
enum { INSTRUMENTS_MAX = 64, ORDERS_MAX = 256 };

static const int64_t NEVER = INT64_MAX, LATENCY_NS = 50000000, DAY_NS = 86400LL * 1000000000LL;
static const double NANO = 1e9, NOTIONAL = 10000.0, SPREAD_BPS_MAX = 50.0, DAILY_LOSS_MAX = 10000.0;

typedef struct {
    double fast, slow, average;
    int64_t count, held, bid_nano, ask_nano, bid_left, ask_left;
    int phase, open_orders;
} Instrument;

typedef struct {
    int64_t arrival_ns, cancel_ns, steps, filled;
    int instrument, side, is_at_venue;
} Order;

typedef struct {
    double cash, day_result;
    int64_t now_ns, next_ns, day, fills, orders;
} Account;

static Instrument instruments[INSTRUMENTS_MAX];
static Order open_orders[ORDERS_MAX];
static int open_count;
static Account account;

static void start_day(void) {
    int64_t day = account.now_ns / DAY_NS;
    if (day != account.day) {
        account.day = day;
        account.day_result = 0.0;
    }
}

static void fill(Order *order, Instrument *i, int64_t steps) {
    double price = (double)(order->side > 0 ? i->ask_nano : i->bid_nano) / NANO;
    int64_t traded = order->side * steps, after = i->held + traded;
    if (order->side > 0) i->ask_left -= steps; else i->bid_left -= steps;
    start_day();
    if (traded < 0) account.day_result += (price - i->average) * (double)steps;
    if (after == 0) i->average = 0.0;
    else if (i->held == 0) i->average = price;
    else if (traded > 0) i->average = (i->average * (double)i->held + price * (double)steps) / (double)after;
    i->held = after;
    account.cash -= price * (double)traded;
    account.fills++;
    order->filled += steps;
    if (i->phase == ENTERING) i->phase = LONG_;
}

static void match(Order *order) {
    Instrument *i = &instruments[order->instrument];
    int64_t wanted = order->steps - order->filled;
    int64_t displayed = order->side > 0 ? i->ask_left : i->bid_left;
    if (i->bid_nano > i->ask_nano) return;
    if (order->side < 0 && i->held < wanted) wanted = i->held;
    if (displayed < wanted) wanted = displayed;
    if (wanted > 0) fill(order, i, wanted);
}

/* Forget what is filled, cancelled, or has nothing left to reduce. */
static void sweep(void) {
    int kept = 0;
    account.next_ns = NEVER;
    for (int k = 0; k < open_count; k++) {
        Order *order = &open_orders[k];
        int is_needless = order->side < 0 && instruments[order->instrument].held == 0;
        int is_cancelled = order->cancel_ns && order->cancel_ns <= account.now_ns;
        if (order->filled == order->steps || is_needless || is_cancelled) {
            instruments[order->instrument].open_orders--;
            continue;
        }
        if (!order->is_at_venue && order->arrival_ns < account.next_ns) account.next_ns = order->arrival_ns;
        if (order->cancel_ns && order->cancel_ns < account.next_ns) account.next_ns = order->cancel_ns;
        open_orders[kept++] = *order;
    }
    open_count = kept;
}

static void arrive(void) {
    for (int k = 0; k < open_count; k++)
        if (!open_orders[k].is_at_venue && open_orders[k].arrival_ns <= account.now_ns) {
            open_orders[k].is_at_venue = 1;
            match(&open_orders[k]);
        }
    sweep();
}

static void match_quote(int instrument) {
    for (int k = 0; k < open_count; k++)
        if (open_orders[k].instrument == instrument && open_orders[k].is_at_venue) match(&open_orders[k]);
    sweep();
}

static void send(int instrument, int side, int64_t steps) {
    int64_t arrival_ns = account.now_ns + LATENCY_NS;
    open_orders[open_count++] = (Order){arrival_ns, 0, steps, 0, instrument, side, 0};
    instruments[instrument].open_orders++;
    if (arrival_ns < account.next_ns) account.next_ns = arrival_ns;
    account.orders++;
}

static void enter(int instrument, Instrument *i, double bid, double ask) {
    double middle = (bid + ask) * 0.5;
    if (!((ask - bid) / middle * 10000.0 <= SPREAD_BPS_MAX)) return;
    start_day();
    if (-account.day_result >= DAILY_LOSS_MAX) {
        i->phase = SITTING_OUT;
        return;
    }
    i->phase = ENTERING;
    send(instrument, 1, (int64_t)rint(NOTIONAL / ask * NANO) / 1000000000);
}

static void cancel(int instrument) {
    for (int k = 0; k < open_count; k++)
        if (open_orders[k].instrument == instrument && !open_orders[k].cancel_ns)
            open_orders[k].cancel_ns = account.now_ns + LATENCY_NS;
    if (account.now_ns + LATENCY_NS < account.next_ns) account.next_ns = account.now_ns + LATENCY_NS;
}

static void decide(int instrument, Instrument *i, double bid, double ask) {
    int is_above = i->fast > i->slow, is_below = i->fast < i->slow;
    if (i->phase == FLAT) {
        if (is_above) enter(instrument, i, bid, ask);
    } else if (i->phase == LONG_) {
        if (is_below) {
            if (i->open_orders > 0) cancel(instrument);
            send(instrument, -1, i->held);
            i->phase = LEAVING;
        }
    } else if (i->phase == LEAVING) {
        if (i->open_orders == 0) {
            if (i->held == 0) i->phase = FLAT;
            else send(instrument, -1, i->held);
        }
    } else if (i->phase == SITTING_OUT && is_below) {
        i->phase = FLAT;
    }
}

void start(double cash) {
    for (int k = 0; k < INSTRUMENTS_MAX; k++) instruments[k] = (Instrument){0};
    open_count = 0;
    account = (Account){.cash = cash, .next_ns = NEVER};
}

void run(int64_t count, const int64_t *ts_recv_ns, const int32_t *instrument_id, const int64_t *bid_nano,
         const int64_t *ask_nano, const int64_t *bid_size_steps, const int64_t *ask_size_steps) {
    for (int64_t k = 0; k < count; k++) {
        int instrument = instrument_id[k];
        Instrument *i = &instruments[instrument];
        if (ts_recv_ns[k] > account.now_ns) account.now_ns = ts_recv_ns[k];
        if (account.now_ns >= account.next_ns) arrive();
        i->bid_nano = bid_nano[k];
        i->ask_nano = ask_nano[k];
        i->bid_left = bid_size_steps[k];
        i->ask_left = ask_size_steps[k];
        if (i->open_orders > 0) match_quote(instrument);
        double bid = (double)bid_nano[k] / NANO, ask = (double)ask_nano[k] / NANO;
        if (!(ask >= bid)) continue;
        double middle = (bid + ask) * 0.5;
        if (i->count == 0) {
            i->fast = i->slow = middle;
        } else {
            i->fast += (middle - i->fast) * (2.0 / (20 + 1.0));
            i->slow += (middle - i->slow) * (2.0 / (100 + 1.0));
        }
        if (++i->count >= 100) decide(instrument, i, bid, ask);
    }
}

void told(double *cash, int64_t *fills, int64_t *orders) {
    *cash = account.cash;
    *fills = account.fills;
    *orders = account.orders;
}
