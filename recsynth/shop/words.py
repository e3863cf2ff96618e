"""The words of the simulated catalogue, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A sort of item: its place in the catalogue, what it is made of, its price and whether it is used up."""

    path: tuple[str, str]
    noun: str
    materials: tuple[str, ...]
    uses: tuple[str, ...]
    price: float
    is_consumable: bool = False


KINDS = {
    "en": (
        Kind(("Kitchen", "Mugs"), "mug", ("stoneware", "porcelain", "glass"), ("coffee", "tea", "hot chocolate"), 9),
        Kind(("Kitchen", "Pans"), "pan", ("steel", "cast iron", "copper"), ("frying", "slow stews", "pancakes"), 35),
        Kind(("Kitchen", "Knives"), "knife", ("steel", "ceramic", "damask"), ("bread", "vegetables", "carving"), 28),
        Kind(("Home", "Lamps"), "lamp", ("brass", "glass", "bamboo"), ("reading", "the bedside", "the hall"), 45),
        Kind(("Home", "Cushions"), "cushion", ("linen", "velvet", "wool"), ("the sofa", "a garden chair", "naps"), 18),
        Kind(
            ("Home", "Candles"),
            "candle",
            ("beeswax", "soy wax", "paraffin"),
            ("dinner", "quiet evenings", "gifts"),
            7,
            True,
        ),
        Kind(("Garden", "Pots"), "flower pot", ("terracotta", "zinc", "concrete"), ("herbs", "roses", "balconies"), 14),
        Kind(
            ("Garden", "Seeds"),
            "seed mix",
            ("organic", "wild", "heirloom"),
            ("bees", "salads", "window boxes"),
            4,
            True,
        ),
        Kind(
            ("Stationery", "Notebooks"),
            "notebook",
            ("paper", "leather", "cork"),
            ("notes", "sketches", "travel"),
            8,
            True,
        ),
        Kind(("Stationery", "Pens"), "pen", ("metal", "wood", "resin"), ("letters", "drawing", "signing"), 12),
        Kind(
            ("Toys", "Puzzles"), "puzzle", ("cardboard", "wood", "foam"), ("rainy days", "families", "long trips"), 16
        ),
        Kind(
            ("Toys", "Blocks"),
            "building set",
            ("beech", "plastic", "magnetic"),
            ("toddlers", "towers", "play rooms"),
            30,
        ),
        Kind(("Clothing", "Shirts"), "shirt", ("cotton", "linen", "flannel"), ("the office", "summer", "weekends"), 32),
        Kind(
            ("Clothing", "Scarves"), "scarf", ("wool", "silk", "cashmere"), ("winter", "the opera", "cold mornings"), 24
        ),
        Kind(("Sports", "Bottles"), "water bottle", ("steel", "glass", "tritan"), ("hiking", "the gym", "school"), 19),
        Kind(("Sports", "Mats"), "yoga mat", ("rubber", "cork", "jute"), ("yoga", "stretching", "pilates"), 38),
        Kind(("Pets", "Leashes"), "dog leash", ("nylon", "leather", "rope"), ("walks", "puppies", "training"), 17),
        Kind(
            ("Pets", "Treats"),
            "dog treat box",
            ("beef", "chicken", "salmon"),
            ("rewards", "puppies", "old dogs"),
            9,
            True,
        ),
        Kind(
            ("Beauty", "Soaps"),
            "soap bar",
            ("olive oil", "lavender", "goat milk"),
            ("dry skin", "travel", "guests"),
            5,
            True,
        ),
        Kind(
            ("Beauty", "Brushes"),
            "hair brush",
            ("boar bristle", "bamboo", "nylon"),
            ("long hair", "curls", "travel"),
            15,
        ),
    ),
    "zh": (
        Kind(("厨房", "杯子"), "马克杯", ("陶瓷", "骨瓷", "玻璃"), ("咖啡", "茶", "热可可"), 59),
        Kind(("厨房", "锅具"), "平底锅", ("不锈钢", "铸铁", "铜"), ("煎炸", "炖菜", "煎饼"), 239),
        Kind(("厨房", "刀具"), "厨刀", ("钢", "陶瓷", "大马士革钢"), ("面包", "蔬菜", "切肉"), 199),
        Kind(("家居", "灯具"), "台灯", ("黄铜", "玻璃", "竹"), ("阅读", "床头", "走廊"), 299),
        Kind(("家居", "靠垫"), "靠垫", ("亚麻", "天鹅绒", "羊毛"), ("沙发", "花园椅", "午睡"), 119),
        Kind(("家居", "蜡烛"), "蜡烛", ("蜂蜡", "大豆蜡", "石蜡"), ("晚餐", "安静的夜晚", "送礼"), 45, True),
        Kind(("花园", "花盆"), "花盆", ("陶土", "锌", "水泥"), ("香草", "玫瑰", "阳台"), 89),
        Kind(("花园", "种子"), "混合种子", ("有机", "野生", "传统"), ("蜜蜂", "沙拉", "窗台"), 25, True),
        Kind(("文具", "笔记本"), "笔记本", ("纸", "皮革", "软木"), ("笔记", "素描", "旅行"), 49, True),
        Kind(("文具", "钢笔"), "钢笔", ("金属", "木", "树脂"), ("写信", "绘画", "签名"), 79),
        Kind(("玩具", "拼图"), "拼图", ("纸板", "木", "泡沫"), ("雨天", "家庭", "长途旅行"), 99),
        Kind(("玩具", "积木"), "积木", ("榉木", "塑料", "磁力"), ("幼儿", "搭塔", "游戏室"), 189),
        Kind(("服装", "衬衫"), "衬衫", ("棉", "亚麻", "法兰绒"), ("办公室", "夏天", "周末"), 219),
        Kind(("服装", "围巾"), "围巾", ("羊毛", "丝绸", "羊绒"), ("冬天", "歌剧院", "寒冷的早晨"), 159),
        Kind(("运动", "水壶"), "水壶", ("不锈钢", "玻璃", "塑料"), ("徒步", "健身房", "上学"), 129),
        Kind(("运动", "垫子"), "瑜伽垫", ("橡胶", "软木", "黄麻"), ("瑜伽", "拉伸", "普拉提"), 249),
        Kind(("宠物", "牵引绳"), "牵引绳", ("尼龙", "皮革", "绳"), ("散步", "幼犬", "训练"), 109),
        Kind(("宠物", "零食"), "狗零食", ("牛肉", "鸡肉", "三文鱼"), ("奖励", "幼犬", "老狗"), 59, True),
        Kind(("美容", "肥皂"), "肥皂", ("橄榄油", "薰衣草", "羊奶"), ("干性皮肤", "旅行", "客人"), 35, True),
        Kind(("美容", "梳子"), "梳子", ("猪鬃", "竹", "尼龙"), ("长发", "卷发", "旅行"), 99),
    ),
}
COLOURS = {
    "en": ("red", "blue", "green", "black", "white", "yellow", "grey", "pink"),
    "zh": ("红色", "蓝色", "绿色", "黑色", "白色", "黄色", "灰色", "粉色"),
}
SIZES = {"en": ("small", "medium", "large"), "zh": ("小号", "中号", "大号")}
BRANDS = {
    "en": ("Ora", "Fenwick", "Lumo", "Hartmann", "Tidewater", "Kestrel", "Maple & Co", "Nordlys", "Pomelo", "Quill"),
    "zh": ("欧拉", "清和", "木语", "南山", "海潮", "云雀", "枫叶", "北光", "柚子", "羽毛"),
}
TITLE = {"en": "{brand} {colour} {material} {noun}, {size}", "zh": "{brand}{colour}{material}{noun} {size}"}
SENTENCES = {
    "en": (
        "A {size} {colour} {noun} made of {material}, at its best for {use}. "
        "{brand} has made it for people who use it daily.",
        "For {use}: this {noun} by {brand} is made of {material} and comes in {colour}. "
        "The {size} size fits most homes.",
        "{brand} makes this {noun} from {material}. It is {colour}, {size} in size, and people like it for {use}.",
        "Simple, {colour} and made of {material}. This {size} {noun} from {brand} is a good choice for {use}.",
    ),
    "zh": (
        "这款{size}{colour}{noun}由{material}制成，最适合{use}。{brand}为每天使用的人而设计。",
        "适合{use}：{brand}的这款{noun}采用{material}，颜色为{colour}，{size}适合大多数家庭。",
        "{brand}用{material}制作这款{noun}。{colour}，{size}，很多人用它来{use}。",
    ),
}
QUERIES = {
    "en": ("{colour} {noun}", "{material} {noun}", "{brand} {noun}", "{noun}"),
    "zh": ("{colour}{noun}", "{material}{noun}", "{brand}{noun}", "{noun}"),
}
REVIEWS = {
    "en": {
        1: "Broke after a week. I would not buy this {noun} again.",
        2: "Not what I hoped for; the {material} feels cheap.",
        3: "It is fine. The {noun} does its job.",
        4: "Good {noun}, I like the {colour}.",
        5: "Wonderful {noun}! Perfect for {use}.",
    },
    "zh": {
        1: "用了一周就坏了，不会再买。",
        2: "不如预期，{material}感觉廉价。",
        3: "还可以。",
        4: "不错的{noun}，喜欢{colour}。",
        5: "非常好的{noun}！很适合{use}。",
    },
}
