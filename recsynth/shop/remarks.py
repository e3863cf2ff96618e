"""What people write in public about the simulated shop: remarks by topic and sentiment, and what stands around them."""

from __future__ import annotations

NEW_TOPIC = "app"
"""It comes up in the last weeks and nobody labels it."""

OPENERS = {
    "en": ("", "", "Honestly,", "Just saying:", "Again:", "Update:", "For the record,", "Monday thoughts:"),
    "zh": ("", "", "说实话，", "又来了：", "更新：", "记录一下，", "周一随想："),
}  # fmt: skip
CLOSERS = {
    "en": ("", "", "Anyone else?", "That is all.", "Thoughts?", "As ever.", "Who knows why."),
    "zh": ("", "", "有人一样吗？", "就这样。", "大家怎么看？", "一如既往。"),
}  # fmt: skip
REMARKS: dict[str, dict[str, dict[str, tuple[str, ...]]]] = {
    "en": {
        "delivery": {
            "positive": ("my parcel came a day early, great courier",
                         "the driver was friendly and the box was on time",
                         "fast shipping again, love it", "delivered next morning as promised, impressive"),
            "neutral": ("my parcel is out for delivery today", "they switched to another courier for shipping",
                        "delivery to the pickup point takes two days", "the tracking number arrived by mail"),
            "negative": ("my parcel is two weeks late and nobody answers", "the courier threw the box over the fence",
                         "delivery failed three times in a row, useless", "the package never arrived, I am furious"),
        },
        "prices": {
            "positive": ("the sale prices are a real bargain", "cheaper than everywhere else, well done",
                         "got a great discount on my order", "fair prices for what you get"),
            "neutral": ("the price list for spring is out", "prices change on the first of the month",
                        "the discount code is valid until Sunday", "they now show prices with tax"),
            "negative": ("prices went up again, what a rip-off", "far too expensive for such a thing",
                         "the discount code did not work and I paid full price",
                            "twice the price of last year, no thanks"),
        },
        "staff": {
            "positive": ("the support team solved my problem in minutes", "such helpful people on the phone",
                         "customer service was kind and quick", "the chat agent went out of her way for me"),
            "neutral": ("the support team works until eight now", "customer service moved to another number",
                        "the chat is open on Saturdays", "they hire people for the phone line"),
            "negative": ("customer service hung up on me", "an hour on hold and then a rude agent",
                         "the support team sends the same useless answer", "nobody at the hotline knows anything"),
        },
        "packaging": {
            "positive": ("lovely wrapping, no plastic at all", "the gift box looked beautiful",
                         "packed with care, nothing broke", "recycled cardboard, I like that"),
            "neutral": ("they use paper instead of foil for wrapping", "the box comes in two sizes",
                        "wrapping is an option at checkout", "the carton has a new print"),
            "negative": ("a huge carton full of plastic for one tiny thing", "the wrapping was torn and dirty",
                         "packed so badly that everything broke", "so much wasted cardboard, shame"),
        },
        NEW_TOPIC: {
            "positive": ("the new app is a joy to use on my phone",
                         "signing in with the app takes one tap, brilliant",
                         "the app update made my phone fast again", "dark mode in the app looks wonderful"),
            "neutral": ("the new app asks for a login on my phone", "the app can be installed on a tablet too",
                        "version two of the app is in the store", "the app shows the basket on the first screen"),
            "negative": ("the new app crashes as soon as I open it on my phone",
                         "cannot log in to the app since the update",
                         "the app freezes on my phone at every login",
                            "the app update logged me out and lost my basket"),
        },
    },
    "zh": {
        "delivery": {
            "positive": ("包裹提前一天到了，快递很棒", "快递员很友好，准时送到",
                         "发货又很快，喜欢", "第二天早上就送到了，厉害"),
            "neutral": ("我的包裹今天派送", "他们换了一家快递公司", "送到自提点要两天", "快递单号已经发到邮箱"),
            "negative": ("包裹晚了两个星期，没人回复", "快递员把箱子扔过围栏",
                         "连续三次派送失败，没用", "包裹一直没到，我很生气"),
        },
        "prices": {
            "positive": ("打折价格真的很划算", "比哪里都便宜，做得好", "这次订单优惠很大", "价格公道，物有所值"),
            "neutral": ("春季价格表出来了", "价格每月一号调整", "优惠码有效到星期天", "现在显示含税价格"),
            "negative": ("价格又涨了，太坑人", "这东西贵得离谱", "优惠码不能用，我付了全价", "比去年贵一倍，不买了"),
        },
        "staff": {
            "positive": ("客服几分钟就解决了我的问题", "电话里的人真热心", "客服又快又和气", "在线客服特别帮忙"),
            "neutral": ("客服现在工作到八点", "客服电话换了号码", "星期六也有在线客服", "他们在招电话客服"),
            "negative": ("客服挂了我的电话", "等了一小时，客服态度还很差",
                         "客服总是发同样没用的回复", "热线上没人知道任何事"),
        },
        "packaging": {
            "positive": ("包装很漂亮，一点塑料都没有", "礼盒看起来真美",
                         "包得很仔细，什么都没坏", "再生纸箱，我喜欢"),
            "neutral": ("现在用纸代替塑料膜包装", "纸箱有两种尺寸", "结账时可以选包装", "纸箱换了新图案"),
            "negative": ("一个小东西用了一大箱塑料", "包装又破又脏", "包得太差，全碎了", "浪费这么多纸箱，真丢人"),
        },
        NEW_TOPIC: {
            "positive": ("新应用在手机上用着很舒服", "应用一键登录，太棒了",
                         "应用更新后手机又快了", "应用的深色模式真好看"),
            "neutral": ("新应用在手机上要登录", "应用也能装在平板上", "应用第二版上架了", "应用首页显示购物车"),
            "negative": ("新应用一打开手机就闪退", "更新后应用登录不了",
                         "每次登录应用手机就卡死", "应用更新后退出登录，购物车也没了"),
        },
    },
}  # fmt: skip
