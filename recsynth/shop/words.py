"""The words of the simulated catalogue, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A sort of item: its place in the catalogue, what it is made of and for, its price, and how it sells."""

    path: tuple[str, str]
    noun: str
    materials: tuple[str, str, str]
    uses: tuple[str, str, str]
    price: float
    is_consumable: bool = False
    peak_day: int = 0
    """Day of the year on which it sells best; 0: it has no season."""

    @property
    def category(self) -> str:
        """The path as the catalogue file writes it."""
        return " > ".join(self.path)


KINDS = {
    "en": (
        Kind(("Kitchen", "Mugs"), "mug", ("stoneware", "porcelain", "glass"), ("coffee", "tea", "hot chocolate"), 9),
        Kind(("Kitchen", "Pans"), "pan", ("steel", "cast iron", "copper"), ("frying", "slow stews", "pancakes"), 35),
        Kind(("Kitchen", "Knives"), "knife", ("steel", "ceramic", "damask"), ("bread", "vegetables", "carving"), 28),
        Kind(("Home", "Lamps"), "lamp", ("brass", "glass", "bamboo"), ("reading", "the bedside", "the hall"), 45),
        Kind(("Home", "Cushions"), "cushion", ("linen", "velvet", "wool"), ("the sofa", "a garden chair", "naps"), 18),
        Kind(("Home", "Candles"), "candle", ("beeswax", "soy wax", "paraffin"), ("dinner", "quiet evenings", "gifts"),
             7, is_consumable=True, peak_day=345),
        Kind(("Garden", "Pots"), "flower pot", ("terracotta", "zinc", "concrete"), ("herbs", "roses", "balconies"), 14,
             peak_day=120),
        Kind(("Garden", "Seeds"), "seed mix", ("sunflower", "clover", "poppy"), ("bees", "salads", "window boxes"), 4,
             is_consumable=True, peak_day=95),
        Kind(("Stationery", "Notebooks"), "notebook", ("paper", "leather", "cork"), ("notes", "sketches", "travel"), 8,
             is_consumable=True, peak_day=245),
        Kind(("Stationery", "Pens"), "pen", ("metal", "wood", "resin"), ("letters", "drawing", "signing"), 12),
        Kind(("Toys", "Puzzles"), "puzzle", ("cardboard", "wood", "foam"), ("rainy days", "families", "long trips"),
             16, peak_day=345),
        Kind(("Toys", "Blocks"), "building set", ("beech", "plastic", "magnetic"),
             ("toddlers", "towers", "play rooms"), 30, peak_day=345),
        Kind(("Clothing", "Shirts"), "shirt", ("cotton", "linen", "flannel"), ("the office", "summer", "weekends"),
             32),
        Kind(("Clothing", "Scarves"), "scarf", ("wool", "silk", "cashmere"), ("winter", "the opera", "cold mornings"),
             24, peak_day=10),
        Kind(("Sports", "Bottles"), "water bottle", ("steel", "glass", "tritan"), ("hiking", "the gym", "school"), 19,
             peak_day=170),
        Kind(("Sports", "Mats"), "yoga mat", ("rubber", "cork", "jute"), ("yoga", "stretching", "pilates"), 38),
        Kind(("Pets", "Leashes"), "dog leash", ("nylon", "leather", "rope"), ("walks", "puppies", "training"), 17),
        Kind(("Pets", "Treats"), "dog treat box", ("beef", "chicken", "salmon"), ("rewards", "puppies", "old dogs"), 9,
             is_consumable=True),
        Kind(("Beauty", "Soaps"), "soap bar", ("olive oil", "lavender", "goat milk"),
             ("dry skin", "travel", "guests"), 5, is_consumable=True),
        Kind(("Beauty", "Brushes"), "hair brush", ("boar bristle", "bamboo", "nylon"),
             ("long hair", "curls", "travel"), 15),
    ),
    "zh": (
        Kind(("厨房", "杯子"), "马克杯", ("陶瓷", "骨瓷", "玻璃"), ("喝咖啡", "品茶", "冲热可可"), 59),
        Kind(("厨房", "锅具"), "平底锅", ("不锈钢", "铸铁", "铜"), ("煎炸", "炖菜", "做煎饼"), 239),
        Kind(("厨房", "刀具"), "厨刀", ("不锈钢", "陶瓷", "大马士革钢"), ("切面包", "切蔬菜", "切肉"), 199),
        Kind(("家居", "灯具"), "台灯", ("黄铜", "玻璃", "竹子"), ("阅读", "床头照明", "走廊照明"), 299),
        Kind(("家居", "靠垫"), "靠垫", ("亚麻", "天鹅绒", "羊毛"), ("沙发", "花园椅", "午睡"), 119),
        Kind(("家居", "蜡烛"), "蜡烛", ("蜂蜡", "大豆蜡", "石蜡"), ("晚餐", "安静的夜晚", "送礼"), 45,
             is_consumable=True, peak_day=345),
        Kind(("花园", "花盆"), "花盆", ("陶土", "锌", "水泥"), ("种香草", "种玫瑰", "装点阳台"), 89, peak_day=120),
        Kind(("花园", "种子"), "混合种子", ("向日葵", "三叶草", "虞美人"), ("吸引蜜蜂", "做沙拉", "窗台种植"), 25,
             is_consumable=True, peak_day=95),
        Kind(("文具", "笔记本"), "笔记本", ("纸", "皮革", "软木"), ("记笔记", "画素描", "旅行"), 49,
             is_consumable=True, peak_day=245),
        Kind(("文具", "钢笔"), "钢笔", ("金属", "木头", "树脂"), ("写信", "绘画", "签名"), 79),
        Kind(("玩具", "拼图"), "拼图", ("纸板", "木头", "泡沫"), ("雨天", "家庭聚会", "长途旅行"), 99, peak_day=345),
        Kind(("玩具", "积木"), "积木", ("榉木", "塑料", "磁铁"), ("幼儿", "搭高塔", "游戏室"), 189, peak_day=345),
        Kind(("服装", "衬衫"), "衬衫", ("纯棉", "亚麻", "法兰绒"), ("上班", "夏天", "周末"), 219),
        Kind(("服装", "围巾"), "围巾", ("羊毛", "丝绸", "羊绒"), ("冬天", "看歌剧", "寒冷的早晨"), 159, peak_day=10),
        Kind(("运动", "水壶"), "水壶", ("不锈钢", "玻璃", "塑料"), ("徒步", "健身", "上学"), 129, peak_day=170),
        Kind(("运动", "垫子"), "瑜伽垫", ("橡胶", "软木", "黄麻"), ("练瑜伽", "拉伸", "普拉提"), 249),
        Kind(("宠物", "牵引绳"), "牵引绳", ("尼龙", "皮革", "棉绳"), ("散步", "幼犬", "训练"), 109),
        Kind(("宠物", "零食"), "狗零食", ("牛肉", "鸡肉", "三文鱼"), ("奖励", "幼犬", "老狗"), 59, is_consumable=True),
        Kind(("美容", "肥皂"), "肥皂", ("橄榄油", "薰衣草", "羊奶"), ("干性皮肤", "旅行", "待客"), 35,
             is_consumable=True),
        Kind(("美容", "梳子"), "梳子", ("猪鬃", "竹子", "尼龙"), ("长发", "卷发", "旅行"), 99),
    ),
}  # fmt: skip
COLOURS = {
    "en": ("red", "blue", "green", "black", "white", "yellow", "grey", "pink"),
    "zh": ("红色", "蓝色", "绿色", "黑色", "白色", "黄色", "灰色", "粉色"),
}
SIZES = {"en": ("small", "medium", "large"), "zh": ("小号", "中号", "大号")}
BRANDS = {
    "en": ("Ora", "Fenwick", "Lumo", "Hartmann", "Tidewater", "Kestrel", "Maple & Co", "Nordlys", "Pomelo", "Quill"),
    "zh": ("欧拉", "清和", "木语", "南山", "海潮", "云雀", "枫叶", "北光", "柚子", "羽毛"),
}
CURRENCY = {"en": "EUR", "zh": "CNY"}
COUNTRIES = {
    "en": {"DE": 0.6, "AT": 0.12, "CH": 0.08, "FR": 0.1, "NL": 0.1},
    "zh": {"CN": 0.8, "SG": 0.08, "MY": 0.12},
}
