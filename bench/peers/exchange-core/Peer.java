import exchange.core2.core.ExchangeApi;
import exchange.core2.core.ExchangeCore;
import exchange.core2.core.common.CoreSymbolSpecification;
import exchange.core2.core.common.CoreWaitStrategy;
import exchange.core2.core.common.MatcherEventType;
import exchange.core2.core.common.MatcherTradeEvent;
import exchange.core2.core.common.OrderAction;
import exchange.core2.core.common.OrderType;
import exchange.core2.core.common.SymbolType;
import exchange.core2.core.common.api.ApiAddUser;
import exchange.core2.core.common.api.ApiAdjustUserBalance;
import exchange.core2.core.common.api.ApiCancelOrder;
import exchange.core2.core.common.api.ApiCommand;
import exchange.core2.core.common.api.ApiMoveOrder;
import exchange.core2.core.common.api.ApiPlaceOrder;
import exchange.core2.core.common.api.ApiReset;
import exchange.core2.core.common.api.binary.BatchAddSymbolsCommand;
import exchange.core2.core.common.cmd.CommandResultCode;
import exchange.core2.core.common.cmd.OrderCommand;
import exchange.core2.core.common.config.ExchangeConfiguration;
import exchange.core2.core.common.config.PerformanceConfiguration;
import exchange.core2.core.orderbook.OrderBookDirectImpl;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/**
 * exchange-core with its risk engine, so that orders hold money and trades pay fees, fed with a file of commands.
 *
 * <p>Arguments: the file, and how often it is played before the first measurement. Little-endian: how many commands fill the
 * book and how many are measured (i32 each), how many people there are on each side (i32), the highest price (i32), then the
 * commands: kind (0 place, 1 cancel, 2 move), sells, rests, unused (u8 each), person, order, price (i32 each), lots (i64). Then
 * line by line: {@code prepare} fills the book of an empty exchange, and {@code run} runs what is measured and answers with
 * trades, lots and turnover.
 */
public final class Peer {
    private static final int BASE = 1;
    private static final int QUOTE = 2;
    private static final int SYMBOL = 1;
    private static final long RICH = 1L << 60;

    private final int people;
    private final long highest;
    private final List<ApiCommand> filling;
    private final List<ApiCommand> measured;
    private final ExchangeApi api;

    private volatile CountDownLatch done = new CountDownLatch(0);
    private long awaited;
    private long trades;
    private long lots;
    private long turnover;
    private String wrong;

    private Peer(Path file) throws Exception {
        ByteBuffer data = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int first = data.getInt();
        int rest = data.getInt();
        people = data.getInt();
        highest = data.getInt();
        List<ApiPlaceOrder> placed = new ArrayList<>();
        filling = commands(data, first, placed);
        measured = commands(data, rest, placed);
        if (data.hasRemaining()) {
            throw new IllegalArgumentException(data.remaining() + " bytes too many in " + file);
        }
        PerformanceConfiguration performance = PerformanceConfiguration.throughputPerformanceBuilder()
                .matchingEnginesNum(1)
                .riskEnginesNum(1)
                .waitStrategy(CoreWaitStrategy.YIELDING)
                // Its own factory binds each thread to a core, of which there are fewer here.
                .threadFactory(Thread::new)
                .orderBookFactory(OrderBookDirectImpl::new)
                .build();
        ExchangeCore core = ExchangeCore.builder()
                .resultsConsumer(this::result)
                .exchangeConfiguration(
                        ExchangeConfiguration.defaultBuilder().performanceCfg(performance).build())
                .build();
        core.startup();
        api = core.getApi();
    }

    private List<ApiCommand> commands(ByteBuffer data, int count, List<ApiPlaceOrder> placed) {
        List<ApiCommand> commands = new ArrayList<>(count);
        for (int at = 0; at < count; at++) {
            byte kind = data.get();
            boolean sells = data.get() == 1;
            boolean rests = data.get() == 1;
            data.get();
            int person = data.getInt();
            int order = data.getInt();
            int price = data.getInt();
            long size = data.getLong();
            commands.add(switch (kind) {
                case 0 -> {
                    ApiPlaceOrder place = ApiPlaceOrder.builder()
                            .orderId(placed.size() + 1)
                            .uid(1 + (sells ? people : 0) + person)
                            .symbol(SYMBOL)
                            .action(sells ? OrderAction.ASK : OrderAction.BID)
                            .orderType(rests ? OrderType.GTC : OrderType.IOC)
                            .price(price)
                            .reservePrice(highest)
                            .size(size)
                            .build();
                    placed.add(place);
                    yield place;
                }
                case 1 -> ApiCancelOrder.builder()
                        .orderId(order)
                        .uid(placed.get(order - 1).uid)
                        .symbol(SYMBOL)
                        .build();
                default -> ApiMoveOrder.builder()
                        .orderId(order)
                        .uid(placed.get(order - 1).uid)
                        .symbol(SYMBOL)
                        .newPrice(price)
                        .build();
            });
        }
        return commands;
    }

    /** Called by the last of the pipeline's threads alone. */
    private void result(OrderCommand command, long sequence) {
        if (awaited == 0) {
            return;
        }
        if (command.resultCode != CommandResultCode.SUCCESS) {
            wrong = command.toString();
        }
        for (MatcherTradeEvent event = command.matcherEvent; event != null; event = event.nextEvent) {
            if (event.eventType == MatcherEventType.TRADE) {
                trades++;
                lots += event.size;
                turnover += event.size * event.price;
            }
        }
        if (--awaited == 0) {
            done.countDown();
        }
    }

    private void play(List<ApiCommand> commands) throws Exception {
        trades = 0;
        lots = 0;
        turnover = 0;
        awaited = commands.size();
        done = new CountDownLatch(1);
        for (ApiCommand command : commands) {
            api.submitCommand(command);
        }
        done.await();
        if (wrong != null) {
            throw new IllegalStateException("refused: " + wrong);
        }
    }

    /** Fills the book of an empty exchange. */
    private void prepare() throws Exception {
        api.submitCommandAsync(ApiReset.builder().build()).get();
        api.submitBinaryDataAsync(new BatchAddSymbolsCommand(CoreSymbolSpecification.builder()
                        .symbolId(SYMBOL)
                        .type(SymbolType.CURRENCY_EXCHANGE_PAIR)
                        .baseCurrency(BASE)
                        .quoteCurrency(QUOTE)
                        .baseScaleK(100)
                        .quoteScaleK(100)
                        .takerFee(20)
                        .makerFee(10)
                        .build()))
                .get();
        for (long uid = 1; uid <= 2L * people; uid++) {
            api.submitCommandAsync(ApiAddUser.builder().uid(uid).build()).get();
            for (int currency : new int[] {BASE, QUOTE}) {
                api.submitCommandAsync(ApiAdjustUserBalance.builder()
                                .uid(uid)
                                .currency(currency)
                                .amount(RICH)
                                .transactionId(currency)
                                .build())
                        .get();
            }
        }
        play(filling);
    }

    private String run() throws Exception {
        play(measured);
        return trades + " " + lots + " " + turnover;
    }

    public static void main(String[] arguments) throws Exception {
        Peer peer = new Peer(Path.of(arguments[0]));
        for (int time = 0; time < Integer.parseInt(arguments[1]); time++) {
            peer.prepare();
            peer.run();
        }
        System.out.println("ready");
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.equals("prepare")) {
                peer.prepare();
                System.out.println("prepared");
            } else {
                System.out.println(peer.run());
            }
        }
        System.exit(0);
    }
}
