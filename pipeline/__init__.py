"""The path of one event, and every module it passes, in that order.

**The words.** `units`, `errors` and `names` stand on nothing. `codes` and `scanner_codes` are the closed sets, `layout` is the form of a row and its
header, `events` the layouts of all kinds, `block` the columns in which rows travel, `provenance` which kinds are inputs and which derived, `instruments` what
trades, `hours` when, `timeframes` how long a bar is, `intents` what may be asked of a broker, `ports` the verbs through which the shell reaches the world.

**In.** A file is opened by the feed that reads it (`feeds.files`): `feeds.dbn` over `feeds.dbn_symbols`,
`feeds.tables` over `feeds.table_files`, `feeds.columns` and `feeds.zones`, `feeds.captures`; all
of them read bytes through `feeds.streams`. What a vendor means is decided in pure functions: `normalize.databento`,
`normalize.databento_records`, `normalize.databento_status`, `normalize.databento_symbols`, `normalize.binance`, `normalize.binance_depth`,
`normalize.coinbase`, `normalize.hyperliquid`, what these share in `normalize.capture`, `normalize.text`, `normalize.book`, `normalize.decimals`, `normalize.moments`,
`normalize.records` and `normalize.rows`, tables in `normalize.tables`, what a print may move in `normalize.conditions`, what is odd about a row in `normalize.marks`, what a vendor begins to send in `normalize.strange_fields`. Many sources become one
order in `feeds.merge`, over `feeds.stretches` and `feeds.session_rows`, which know by `feeds.repeats` what was there before, on the timer grid of `normalize.grid`.
A day that never happened comes from `simulator.generate`, one written by a hand from `simulator.handwritten`; whole markets by name are `simulator.days`: a name of `simulator.names` moves
along one of the `simulator.paths`, as far as the `simulator.bands` let it, which makes `simulator.ticks`, of them
`simulator.vendor_bars`, and `simulator.standings`.

**Known beside the tape.** What providers say of an instrument are facts of `normalize.reference`, by the rule there; a
person's table is read by `feeds.reference_tables` as `normalize.reference_tables` says, vendors are asked by `run.inquiring` what
`feeds.reference_providers` would know, and their answers read by `normalize.reference_bodies`; `run.referencing` keeps all of it and
gives a session what it begins with. Lists of past days are `normalize.picks`, and `run.picking` tells what was picked when.
History that costs money is asked for as `run.wanting` has it, bought by `run.purchasing` through `feeds.databento_history`, entered
in `log.purchases`; of a download that was cut `feeds.dbn_mending` keeps what is whole.

**Live.** A `feeds.vendor` is a feed as a value; a `feeds.dialogue` is the conversation with its server, without a socket.
A `feeds.connection` keeps it connected over `feeds.sockets`, one process a key (`feeds.credentials`): its `feeds.line` outlasts
each `feeds.talk`, which a `feeds.watch` looks after, with `feeds.subscriptions` for what is not answered, `feeds.unheard` for
what never came, `feeds.silence` for what is not heard, and `feeds.lateness` for what is old; between two of them lies the
`feeds.backoff`, and `feeds.history` fills the `feeds.holes` by `feeds.fetching`; `feeds.warming` fetches what strategies wait for, `feeds.polling` asks for how a whole market stands. What came, and the `feeds.facts` of it, with no
secret in them (`feeds.hiding`), waits in the `feeds.inbox` for the core, which tells its `feeds.progress`; a `feeds.bell`
wakes who waits.

**Coinbase.** `normalize.coinbase_advanced` reads `normalize.coinbase_advanced_words` over
`normalize.coinbase_advanced_products`, `normalize.coinbase_advanced_books`, `normalize.coinbase_advanced_candles`,
`normalize.coinbase_advanced_columns`, `normalize.coinbase_advanced_loose`, `normalize.coinbase_advanced_history` and
`normalize.gathering`; `feeds.coinbase_advanced` with `feeds.coinbase_token` is its conversation,
`simulator.coinbase_advanced` the other end of it, which speaks by `normalize.coinbase_advanced_out`.

**Massive.** `feeds.massive` speaks, in `normalize.massive_words`; `normalize.massive` makes events of what it hears, decoded by
`normalize.massive_frames`, gathered by `normalize.massive_reading` from `normalize.massive_rows` over `normalize.massive_columns`, with
`normalize.massive_bars` for what is revised, `normalize.massive_snapshots` for how the market stands and `normalize.massive_told` for the rest. `normalize.massive_out` is the way back, which
`simulator.massive` and `simulator.massive_rest` serve.

**Alpaca.** `feeds.alpaca` speaks; `normalize.alpaca` makes events of what `normalize.alpaca_words` decodes, in `normalize.alpaca_rows` over `normalize.alpaca_columns` and
`normalize.alpaca_codes`, of history's `normalize.alpaca_pages` and `normalize.alpaca_snapshots` too; what it leaves out is `normalize.ignored`. `normalize.alpaca_out` is the way back,
which `simulator.alpaca` and `simulator.alpaca_rest` serve.

**Databento.** `normalize.databento_live` makes events of what a gateway says in `normalize.databento_words`, by the code that reads files, with
the session's `normalize.databento_numbers`. `normalize.databento_out` is the way back, which `simulator.databento` serves.
`feeds.databento` speaks over a `feeds.databento_socket`; any vendor's connection is opened by `feeds.opening`.

**Served.** A `simulator.venue` is a vendor's server, without a socket; those that there are stand in `simulator.venues`. A
`simulator.exchange` serves a day, `simulator.served`, over the vendors' protocols: when rows are due is `simulator.pacing`, where they are served `simulator.doors`, to whom a `simulator.client` with its
`simulator.outbox` on one of the `simulator.wires`, what was served so far `simulator.history`, how all stands by then `simulator.snapshots`. What goes wrong are `simulator.faults`,
when it does a `simulator.plan`, and what was really sent stands in the `simulator.ledger`.
Brokers are served beside it: a `simulator.trading.book` of `simulator.trading.orders` stands behind a `simulator.trading.face`, Alpaca's
(`simulator.trading.alpaca`) or Coinbase's (`simulator.trading.coinbase` in `simulator.trading.coinbase_words`, both over
`simulator.trading.wording`); it is spoken to at a `simulator.trading.counter`, where `simulator.trading.mischief` goes wrong, through
`simulator.trading.doors`, and the quotes of a served day fill its orders in a `simulator.trading.market`.

**Onto the tape.** `log.sequencer` gives each input its `seq` and commits it through `log.journal`: `log.order` sees that
nothing is missing, `log.codec` makes the payload (Arrow by way of `log.arrow`), `log.frames` the frame, `log.disk` writes
it, `log.lock` keeps other writers out, `log.syncing` makes it durable and `log.durable` tells everybody how far.
After a crash `log.recovery` looks first. `log.memory` is the twin that needs no disk.

**Through the reducer.** `core.engine` folds one input after the other: `core.chunk` turns columns into the events of
`core.market`, `core.step` is what happens for each, over the rows of `core.world`, which stand in the `core.tables` that
all folds share. `core.instrument` and `core.bars` follow the market, `core.closing` hands closed bars on, `core.cells`
calls the handlers of a `core.strategy` with the `core.context` they may read and the `core.verbs` they may use;
parameters are `core.params`, history it wants first its `core.warm_up`, memory is `core.state` laid out by `core.record`, arithmetic `core.dialect`. What handlers put out is written by
`core.outputs`; their wishes go over the `core.desk`: sized in `core.sizing`, ranked in `core.arbitration`, admitted by
`core.risk` against what `core.worth` says the account is worth and what there is near by `core.crowd`, kept as `core.orders`, filled by `core.venue` or `core.venue_bars` at the hours of `core.lifetime`, or in an `core.auction`, stops once `core.waking` wakes them, limits in the line of `core.queueing`, large ones at the price of their `core.impact`, within `core.bands` and by the rule of `core.short_sales`, all as `core.filling` has it, charged the `core.fees`, some by `core.fee_rates`, what a broker fills is folded by `core.brokered`, and what it does not have any more is `core.missing`, booked in `core.portfolio`, written to the `core.ledger`, told to their strategies by `core.telling`.
Which instruments strategies hear is the `core.universe`. The operator's hand is `core.operator`, everything that may be set `core.settings`. All that is remembered is a
`core.snapshot`, as bytes `core.frozen`; what another session begins with is told by `core.carrying`, and wishes of another run are had again by `core.repeating`. Rows leave by `core.tape` and are hashed in `core.hashing`.

**To a broker.** An order has an `execution.identity` there. An `execution.desk` sends it by its `execution.jobs`, which ask in an
`execution.tongue` (`execution.alpaca` or `execution.coinbase`, both over `execution.numbers`) by `execution.calls` and hear `execution.reports`;
`execution.orders` are `execution.tracked` one by one, filled in `execution.stretches`, and `execution.reconcile` compares all of it with the broker's
word. What became of them are rows on `execution.paper`. An `execution.broker` holds its sockets, over `execution.rest`, at one of the
`execution.venues`, and tells by `execution.snapshots` how an account stands.

**At speed.** The same lines compiled: `kernel.translate` turns `kernel.definitions` into one flat text in the words of
`kernel.vocabulary`, where `kernel.binding` finds every name bound; `kernel.source` puts the engine's
and the strategies' together, `kernel.compiling` makes machine code of it, over `kernel.primitives`, `kernel.arithmetic`, `kernel.ordering` and
`kernel.signatures`, one type a name by `kernel.unifying`, and `kernel.build` keeps and loads it. `kernel.groups` is what that code finds behind an address,
`kernel.memory` the state as arrays, of which `kernel.lending` gives the interpreter what it touches, `kernel.inputs` a batch as columns, `kernel.few` some inputs, `kernel.single` a lone one,
`kernel.history` what ran since the state was kept; `kernel.engine` runs it all. What a strategy may hold are the `kernel.rules`;
`kernel.determinism`, `kernel.reading` for what a context hands out and `kernel.members` for what is misspelt, see to those that replay stands on whenever one is loaded, `kernel.checking` names every line that can't be compiled.

**What is computed on the way.** An `indicators.indicator` is a fold with a name; all of them are in `indicators.catalog`,
and `indicators.series` runs one over a whole series. Averages: `indicators.sma`, `indicators.ema`, and on
`indicators.seeded` stand `indicators.seeded_ema` and `indicators.rma`; `indicators.wma` with `indicators.hma`, `indicators.dema`,
`indicators.tema` with `indicators.trix`, and `indicators.kama`. Over an `indicators.window`: `indicators.deviation`,
`indicators.bollinger`, `indicators.zscore`, `indicators.donchian`, `indicators.regression`,
`indicators.realized_volatility`. Of movement: `indicators.macd`, `indicators.rsi`, `indicators.true_range`,
`indicators.atr`, `indicators.adx`, `indicators.roc`, `indicators.momentum`, `indicators.aroon`, `indicators.stochastic`, `indicators.williams_r`,
`indicators.cci`, `indicators.ultimate_oscillator`. Around prices: `indicators.keltner`, `indicators.supertrend`, `indicators.psar`,
`indicators.fractals`, `indicators.ichimoku`.
Of volume: `indicators.obv`, `indicators.accumulation_distribution` with `indicators.cmf`, `indicators.mfi`, `indicators.vwap`, `indicators.anchored_vwap`,
`indicators.relative_volume`. Of the day, whose hours are in `indicators.trading_day`: `indicators.extremes`,
`indicators.session_extremes`, `indicators.opening_range`, `indicators.gap`, and on an `indicators.finished_session` stand
`indicators.pivots`, `indicators.fibonacci_pivots`, `indicators.camarilla_pivots`. Of quotes and prints: `indicators.spread`,
`indicators.imbalance`, `indicators.tick_rate`.

**Which symbols.** A `scanner.fold` is a reducer, too: inputs gather into a `scanner.segment` and are folded into the `scanner.state`, `scanner.columns`
over instruments: quotes and halts by `scanner.quotes`, prints and bars by `scanner.trades`, answers to polls by `scanner.snapshots`, what is told by `scanner.facts` with `scanner.splits`, days by
`scanner.clocks` that leave a `scanner.history` and a `scanner.profile`, `scanner.rings` of a moment ago, `scanner.kinds` of securities.
A `scanner.field` is what can be asked of them; all are in `scanner.fields`, out of `scanner.price_fields`, `scanner.volume_fields`,
`scanner.company_fields` and `scanner.status_fields`. A `scanner.definition`, read by `scanner.reading` with the `scanner.keys` there are, becomes
`scanner.verdicts`, these change the `scanner.universe`, both leave as `scanner.rows`; a list of symbols, perhaps of days or moments (`scanner.list_lines`), is one of `scanner.lists`. All that is remembered is kept as `scanner.frozen`.

**At rest.** `log.seal` turns segments into `log.parts` of `log.parquet`, written as `log.encoding` chooses, which `log.compacting` makes fewer of; `log.manifest` says what a log is, `log.familiar` remembers those read before, `log.store` says where logs lie
and what they are called, `log.counts` what an open one holds by now, `log.export` makes a copy that stands alone. `log.reader` gives rows back in order, over
`log.segments`, `log.scan` and `log.merge`; `log.follow` goes on where it ends. `log.hot` reads sealed inputs a
second time without decoding them, out of a `log.cache` of columns that `log.mapped` writes and maps; `log.trail` holds what an engine
remembered at waypoints. A run is written by `log.whole`, to be there at once or not at all. The rows of backtests lie in `log.backtests`, the trials of searches in `log.studies`, and small files prove themselves by `log.proved`. `log.check` finds damage and knows by
`log.half_made` what only a crash left, `log.salvage` copies what can be read and `log.renumber` gives it its new places. A store beyond this machine is `log.far`: `log.pushing` puts what is sealed
there, `log.pulling` brings it back, and in `log.visiting` it is a home to read, whose parts are `log.arriving` when somebody asks for them.

**What it adds up to.** Statistics of trades are `reports.metrics`, how much of them is luck `reports.resampling`; what accounts do are `reports.drawdowns`, what
trades do in time `reports.stretches`, and returns of days, which answer other questions, `reports.daily`; `reports.summary` is all of them over the columns of `reports.trades`,
`reports.breakdowns` the same of each of the `reports.bands`. Other costs after the fact are `reports.slippage` and `reports.charges` of the
`reports.executions` that made trades, `reports.repricing` what they take; `reports.gathering` has both out of the warehouse, `run.statistics` knows
which logs count and on which days they could have traded.
What else a record might have come to: its `reports.round_trips`, as `reports.reading` finds them, under the `reports.knobs`, as `reports.knob_words` reads
them, by `reports.montecarlo`, whose loop is `reports.walk`, compiled as `reports.compiled_walk`; its chance is `reports.philox`, made
normal by the `reports.normal_quantile`. What comes of it are `reports.outcomes`, of very many paths taken in `reports.pieces`, what hangs on what their `reports.sensitivity`; they are kept as `reports.simulations`.
What is read in the evening is a `reports.report_document`: of a `reports.report_material`, whose `reports.report_rows` come from the warehouse, `reports.report_sections` are
made: of `reports.report_statistics`, `reports.report_trades`, what surrounds them in the `reports.report_market`, `reports.report_montecarlo`, what all of it stands on in the
`reports.report_manifest`, and several beside each other in a `reports.report_comparison`, in the words of `reports.report_numbers`. It is drawn as a `reports.report_page` with
`reports.report_drawings` in it, or as `reports.report_text`, and printed by a browser of this machine (`reports.report_printing`); `run.reporting` works out what it needs.

**Asked by people.** SQL that is typed into a page is answered by a `sandbox.worker`, a process that is `sandbox.closing` itself in by way
of the `sandbox.landlock` and `sandbox.seccomp` before it knows anything. What is said between it and who is `sandbox.asking` is `sandbox.speech`; the
`sandbox.gate` accepts what is `sandbox.frozen`, `sandbox.answering` is a locked DuckDB over rows that Arrow reads. What people keep of it are
`sandbox.saved` statements; some to begin with are `sandbox.examples`.

**Why, and why not.** `run.explaining` finds rows in the logs, as `reports.explain_rows` asks for them: what caused a row is its `reports.explain_chain`,
what kept a symbol from being traded are `reports.explain_refusals`, both told in the `reports.explain_words`; what a gate saw at
any tick is had again by `run.regating`. What two logs did otherwise, and for which
one cause, is `reports.explain_parity` of two `reports.explain_wishes`, paired by `reports.explain_matches`, over the `reports.explain_streams` of ticks that they
heard; `run.parity` reads both, and tells of `reports.explain_revisions` what was acted on before it became another.

**The shell.** `config` reads what people write. `run.recording` records with `run.control` listening and `run.sealing` behind it in the process of a `run.sealing_worker`, to which it speaks in `run.sealing_words`, `run.importing`
(reading `run.ahead` of the writing) and `run.generating` feed it, with `run.continuing` for a session that can't go on as it was, `run.replaying`, writing `run.behind` the reducing, and
`run.verifying` fold again through `run.fold`, scanners beside it by `run.following`, over what `run.loading` made of files, in another process over the `run.wire`, with `run.code` that was
kept, `run.strategies` that were named, begun with `run.drafting`, shown by `run.demonstrating`, perhaps tried by `run.trying` before, and the `run.environment` they ran in; `run.comparing` finds the first
difference, `run.diffing` where two runs part, `run.refilling` what other fills would have made of the same wishes. Whether a strategy knows the future is asked by `run.lookahead`, which reduces stretches again by `run.retracing`, looks for inputs that are `run.early` and is `run.overhearing` what is opened meanwhile; whether it is `run.warm_enough`, by beginning it, as `run.begun_late` does, in the middle. `run.keeping` leaves waypoints while a run is made; from them `run.traveling` reaches any
input, `run.moments` and `run.moves` read what is found there by its `run.outline`, and `run.looking` answers with it. `run.notes` are
remarks. `run.backtesting` runs a grid that `run.sweeping` reads over many sessions, or over what was picked of them by `run.scanned`: a `run.cell` is a function, a
`run.worker` the process it runs in, `run.crew` hands them out, or another of the `run.engines`: `run.on_ray` sends them to a `run.cluster` (one of its own lives in a `run.owned_folder`), where a `run.node` runs them and keeps what it was sent in its `run.node_folder`; `run.tally` counts what they come to, `run.overnight` carries positions from one to the next. `run.optimizing` searches such a grid, batch by batch,
over sessions that `run.windows` keeps apart from those that show what was found; `run.walking` goes on from window to window, `run.judging` says what to think of what was found, beside the `run.tries` of others over the same sessions, by `reports.scoring`, `reports.deflating` and `reports.stability`. `run.scanners` come from files, `run.attaching` says who stands behind them,
and `run.scanning` is one over a session, `run.scanning_now` one over what a vendor answers. `run.pages`, `run.feeds_page`, `run.settings_page` and `run.scanner_page` write
what the code says of itself. A live session (`run.live`) is what was asked for (`run.asking`) of which `run.feeds`; `run.accounts` say what it trades on, `run.lasting` what of it lasts, `run.beginning` finds the one that goes on, of which `run.missing` tells since when, `run.listening` holds
the sockets, its loop is `run.turning`, `run.intake` makes inputs of what came, `run.picks` are what a scanner picked of it, by `run.warming` strategies are given the `run.warm_rows` they wait for, and what they missed by their `run.standings`, of a `normalize.coarser` kind where need be, all of it kept as it came by `run.rawness` for `run.renormalizing`; at one of the `run.brokers` its orders are carried by `run.brokering`, from what is `run.outstanding` on; `run.glimpse` is what is seen of it.
A recording goes by a `run.clock`, connects with `run.keys`, on the days of a `run.schedule`, which are `run.trading_days`, one after the other by `run.daily`; `run.notifying` tells
who is not looking, `run.halting` is the kill switch, which `run.guarding` throws when a day's loss is reached, `run.telling` checks what a request is about.
People speak to it through the commands:
`cli.demo_command`,
`cli.import_command`,
`cli.replay_command`,
`cli.refill_command`,
`cli.backtest_command` with its `cli.engine_options`,
`cli.backtests_command`,
`cli.optimize_command` and `cli.walkforward_command` over `cli.searching`,
`cli.studies_command`,
`cli.verify_command`,
`cli.warmup_check_command`,
`cli.diff_command`,
`cli.state_command`,
`cli.sql_command` with its `cli.sql_out` and `cli.sql_shell`,
`cli.check_command`,
`cli.sessions_command`,
`cli.push_command`,
`cli.pull_command`,
`cli.runs_command`,
`cli.note_command`,
`cli.strategies_command`,
`cli.strategy_command`,
`cli.new_command`,
`cli.docs_command`,
`cli.scan_command`,
`cli.record_command` with its `cli.view`,
`cli.renormalize_command`,
`cli.serve_command`,
`cli.halt_command`,
`cli.lookahead_check_command`,
`cli.accounts_command`,
`cli.tell_command`,
`cli.fetch_command`,
`cli.reference_command`,
`cli.stats_command`,
`cli.montecarlo_command`,
`cli.simulations_command`,
`cli.explain_command`,
`cli.parity_command`,
`cli.report_command`,
`cli.dashboard_command`, which print by `cli.show`.
"""
