"""Made-up problems and their paraphrases, by which the search for similar problems is judged.

Written without a look at how that search works, which knows none of these words. A problem is a product, a
piece of it and what this is made of, the place on it, a step of its making and a defect; each combination is
one problem. Each thing has two names, and neither is the right one: what one firm calls by the first another
calls by the second, in as many problems. A twin says the same again as another firm would: with the other name
for some of the things, another order of sentences, other numbers, words left out. Every third problem is a
neighbour of another: it differs from it in one of these things only, in the same words, and is no twin.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

# By chain: parts, each with its other names.
PARTS = (
    "谐波减速器 谐波传动减速机|行星滚柱丝杠 滚柱丝杆副|交叉滚子轴承 薄壁交叉轴承|伺服电机 伺服马达|六维力传感器 多维力觉探头",
    "锂电池极片 电芯涂布片|方形铝壳电芯 铝壳方型电池|湿法隔膜 湿法电池膜|硅碳负极 硅基负极材料|电池液冷板 电池包水冷板",
    "功率器件晶圆 功率芯片圆片|封装基板 载板|光刻胶 光致抗蚀剂|刻蚀腔体陶瓷环 刻蚀机瓷环|车规微控制器 汽车级单片机",
    "风电主轴轴承 风机主轴承|叶片拉挤板 拉挤玻纤板材|塔筒法兰 塔架连接法兰|永磁发电机转子 永磁电机转轴组件|变桨轴承 桨叶轴承",
    "精梳棉纱 精梳纯棉纱线|再生聚酯纤维 回收涤纶丝|功能性面料 机能布|色纺纱 先染后纺纱|水洗鸭绒 洗净鸭绒",
    "柱塞泵配流盘 轴向泵配油盘|多路阀阀芯 多路换向阀芯轴|回转支承 转盘轴承|起重机臂架 吊臂结构件|再制造液压缸 翻新油缸",
    "浸渍纸饰面板 三聚氰胺贴面板|水性木器漆 水性木用涂料|中密度纤维板 中纤板|脲醛树脂胶 尿醛胶黏剂|岩板 大规格陶瓷板",
    "预灌封注射器 预充式针筒|冠脉支架 心血管支架|一次性反应袋 一次性生物反应器膜袋|可降解镁合金螺钉 镁质可吸收骨钉|血液透析器 人工肾",
    "灭菌乳 常温奶|富硒大米 含硒稻米|预制菜包装袋 调理食品软包|植物油 食用油脂|婴配奶粉 婴幼儿乳粉",
    "组串式逆变器 组串逆变装置|双玻组件 双面玻璃光伏板|钙钛矿叠层电池 叠层钙钛矿器件|光伏背板胶膜 封装胶膜|跟踪支架推杆 追日支架电推缸",
    "高速电主轴 内藏式主轴|滚珠丝杠 滚珠丝杆|光栅尺 直线光栅|硬质合金刀片 钨钢刀粒|五轴转台 五轴回转工作台",
    "质子交换膜 质子膜|三型储氢瓶 铝内胆储氢容器|膜电极 膜电极组件总成|加氢枪 氢气加注枪|碱性电解槽极框 制氢电解槽框架",
    "烧结钕铁硼磁体 烧结永磁体|轴承钢坯 轴承用钢铸坯|取向硅钢带 取向电工钢|钛合金棒材 钛棒|航空铝板 航空用铝合金厚板",
    "飞行器桨叶 旋翼叶片|碳纤维预浸料 碳纤预浸布|飞控计算机 飞行控制器|避障雷达 防撞毫米波雷达|高倍率电池包 大倍率动力电池组",
    "旋转压缩机 转子式压缩机|智能门锁 电子门锁|净水滤芯 滤水芯|变频控制板 变频驱动板|灯用驱动电源 照明恒流源",
    "反渗透膜 RO膜|脱硝催化剂 脱硝触媒|在线水质分析仪 水质自动监测仪|陶瓷过滤膜 陶瓷滤膜管|危废焚烧炉衬 焚烧炉耐材内衬",
)  # fmt: skip
MATTERS = tuple(
    pair.split()
    for pair in (
        "铝合金 铝制|不锈钢 白钢|铸铁 生铁|尼龙 聚酰胺|聚丙烯 PP料|碳纤维 碳纤|黄铜 铜合金|硅胶 硅橡胶|陶瓷 瓷质|玻璃钢 玻纤增强"
        "|钛合金 钛材|聚氨酯 PU|环氧 环氧树脂|氟橡胶 氟胶|高碳钢 高碳素钢|镁合金 镁材|石墨 碳素|聚酯 涤纶|锌合金 压铸锌|木塑 木塑复合"
        "|镀锌板 白铁皮|亚克力 有机玻璃|聚碳酸酯 PC|天然橡胶 生胶|超高分子 超高分子量聚乙烯|芳纶 芳族纤维|合金工具钢 模具钢"
        "|无铅焊料 环保焊锡|导电银浆 银浆|热塑弹性体 TPE|竹质 竹材|软木 栓皮|铁氧体 软磁|硬质泡沫 硬泡|蜂窝纸 纸蜂窝|真空镀膜 蒸镀"
        "|双组分 双液型|单晶 单结晶|多孔 疏松型|一体成型 整体成形"
    ).split("|")
)
PIECES = tuple(
    pair.split()
    for pair in (
        "壳体 外壳|密封圈 密封垫|端盖 盖板|轴套 衬套|导轨 滑轨|线束 电缆组件|涂层 覆膜|法兰 连接盘|紧固件 螺栓组|支架 托架"
        "|滤网 过滤芯|阀芯 阀体组件|垫片 垫圈|弹簧 簧片|传感元件 感应头|电路板 线路板|接插件 插头|焊缝 焊道|内衬 里层"
        "|边框 外框|胶层 粘接层|薄片 片材|管路 导管|齿面 轮齿|标签 铭牌|包材 外包装|骨架 框架|绕组 线圈|触点 接触片|镜片 视窗"
        "|喷嘴 喷头|软管 胶管|卡扣 搭扣|底座 基座|模组 组件|叶轮 转轮|活塞 柱塞|铰链 合页|铆钉 铆接件|隔板 分隔片|热沉 散热片"
        "|保护套 护罩|刷头 刷丝|转轴 芯轴|轮毂 轮芯|托盘 料盘|按键 按钮|缓冲垫 减震块|拉杆 连杆|夹头 夹具"
    ).split("|")
)
SPOTS = tuple(
    pair.split()
    for pair in (
        "边缘 边部|内孔 孔壁|接头处 连接部位|根部 底端|转角 拐角|中段 中部|表层 表皮|端面 端头|接缝 拼缝|圆弧段 弧面|槽口 开槽处"
        "|背面 反面|顶部 上沿|侧壁 侧边|倒角 斜边|引出端 出线端|入口侧 进口端|出口侧 出料端|折弯处 弯折区|配合面 贴合面"
    ).split("|")
)
STEPS = tuple(
    pair.split()
    for pair in (
        "热处理 淬回火|磨削 精磨|注塑 注射成型|焊接 焊合|装配 组装|涂布 涂覆|烧结 高温烧成|清洗 洗净|灭菌 消毒灭菌|运输 转运"
        "|老化试验 高温老化|入库检验 进货检验|压铸 压力铸造|电镀 镀覆|切割 裁切|固化 硬化成型|干燥 烘干|封装 密封包装"
        "|标定 校准|储存 贮存|换线 切换品种|批量生产 量产|低温试验 冷态测试|返工 重修"
    ).split("|")
)
# Defects with their other names, the metric, its unit and the quality gap behind it.
DEFECTS = tuple(
    tuple(line.split())
    for line in """
变形超差 形变超过公差 径向变形量 微米 met_missing
疲劳寿命离散 寿命长短不一 台架寿命 小时 tst_missing
硬度不均 软硬不一致 硬度极差 度 capacity
表面裂纹 外表开裂 裂纹检出率 % tst_missing
噪声偏大 异响明显 空载噪声 分贝 cal_missing
尺寸波动 外形忽大忽小 尺寸极差 微米 met_missing
镀层脱落 覆层起皮 附着力 兆帕 std_divided
密封泄漏 漏气漏液 泄漏批次占比 % tst_missing
气孔超标 内部孔洞过多 孔隙率 % tst_missing
绝缘下降 耐压不足 绝缘电阻 兆欧 cal_missing
精度漂移 准确度衰退 重复精度 微米 cal_missing
颗粒污染 异物沾污 颗粒数 个 met_missing
色差明显 颜色深浅不同 色差值 级 std_divided
水分偏高 含水量过大 水分含量 ppm cal_missing
粘接失效 胶层剥离 剥离强度 牛 tst_missing
厚度超限 厚薄不匀 厚度偏差 微米 cal_missing
磨损过快 早期磨耗 磨损量 毫克 tst_missing
锈蚀发黑 生锈变色 盐雾时间 小时 std_divided
一致性差 批间差异大 离散系数 % capacity
残留超标 溶剂残余过高 残留量 ppm tst_missing
接触不良 导通时断时续 接触电阻 毫欧 std_missing
通信中断 信号掉线 断线次数 次 std_divided
翘曲不平 弯翘 平面度 毫米 met_missing
强度不足 承载力不够 抗拉强度 兆帕 tst_missing
脆断 低应力断裂 冲击功 焦 tst_missing
温升过高 发热严重 温升 度 cal_missing
能效偏低 耗电量大 效率 % cal_missing
标识不清 标签看不清 误读率 % std_missing
杂质检不出 微量成分无法测出 检出限 ppm tst_missing
检测结果不一 各家化验数据打架 实验室间偏差 % cal_missing
认证周期长 取证时间久 认证天数 天 recognition
互换性差 不同厂家装不上 互换率 % std_divided
霉变异味 发霉有味 异常批次占比 % capacity
起泡分层 鼓泡脱层 分层面积 % tst_missing
变色发黄 泛黄 黄变指数 级 tst_missing
容量衰减 续航缩水 容量保持率 % tst_missing
短路击穿 内短路烧毁 失效率 ppm tst_missing
振动过大 抖动剧烈 振动烈度 毫米每秒 cal_missing
来料不稳 供料质量忽高忽低 来料合格率 % std_missing
追溯断点 批次查不到来源 可追溯占比 % std_missing
""".strip().splitlines()
)
TITLES = (
    "{part}{step}后{defect}", "{step}后{part}{defect}问题突出", "{part}{spot}在{step}环节出现{defect}",
    "{part}{spot}{defect}，{step}工序难以控制", "关于{part}{step}过程{defect}的问题", "{defect}：{part}{step}后频发",
)  # fmt: skip
MAIN = (
    "{part}经{step}后{spot}出现{defect}，{metric}实测{value}{unit}。",
    "我司{part}在{step}时{spot}{defect}，{metric}约{value}{unit}，超出内控线。",
    "{step}工序完成后抽检{part}，发现{spot}{defect}，{metric}达到{value}{unit}。",
    "连续{n}批{part}{step}后{spot}存在{defect}的现象，{metric}在{value}{unit}上下。",
    "客户投诉{part}{spot}{defect}，追查到{step}环节，{metric}为{value}{unit}。",
)
BEFORE = (
    "", "", "今年{month}月以来，", "更换供应商之后，", "夏季高温期间，", "新产线投产{n}个月，", "据车间统计，", "近{n}周，",
)  # fmt: skip
AFTER = (
    "返修率上升到{p}%，交货推迟。", "不同班次之间差别较大，原因尚未查清。", "现有仪器分辨不出，只能送外地检测。",
    "已影响{n}家主机厂的定点。", "同行企业也有类似反映。", "调整参数{n}轮仍无改善。", "行业内没有统一的判定方法。",
    "每月报废约{value}件，损失较大。", "进口替代件价格高{p}%。", "人工复检费时费力。", "希望有机构帮助查明机理。",
)  # fmt: skip


SIZES = (len(PARTS), 5, len(MATTERS), len(PIECES), len(SPOTS), len(STEPS), len(DEFECTS))
OTHER = 0.3


@dataclass(frozen=True)
class Made:
    """A problem as a firm would file it; the same ``number`` is the same problem.

    ``voice`` has a bit for each thing that the firm calls by its second name.
    """

    number: int
    voice: int
    chain: int
    product: str
    title: str
    symptom: str
    gap: str


def problems(count: int, rnd: random.Random) -> Iterator[Made]:
    """As many different problems, every third of them a neighbour of the one before: but for one thing the
    same."""
    numbers = set()
    for number in rnd.sample(range(prod(SIZES)), count):
        voice = rnd.getrandbits(len(SIZES))
        numbers.add(number)
        yield _told(number, voice, rnd)
        if len(numbers) % 3 == 2:
            beside = _beside(number, rnd)
            if beside not in numbers:
                numbers.add(beside)
                yield _told(beside, voice, rnd)
        if len(numbers) >= count:
            return


def _places(number: int) -> list[int]:
    places = []
    for size in SIZES:
        number, place = divmod(number, size)
        places.append(place)
    return places


def _beside(number: int, rnd: random.Random) -> int:
    """The number of a problem that differs in one thing; of the same chain."""
    places = _places(number)
    thing = rnd.randrange(1, len(SIZES))
    places[thing] = (places[thing] + rnd.randrange(1, SIZES[thing])) % SIZES[thing]
    number = 0
    for size, place in zip(reversed(SIZES), reversed(places), strict=True):
        number = number * size + place
    return number


def twin(of: Made, rnd: random.Random) -> Made:
    """The same problem in the words of another firm."""
    told = _told(of.number, of.voice, rnd, other=OTHER)
    gap = "" if rnd.random() < 0.3 else told.gap
    return replace(told, title=_worn(told.title, rnd), symptom=_worn(told.symptom, rnd), gap=gap)


def _told(number: int, voice: int, rnd: random.Random, other: float = 0.0) -> Made:
    """``other`` is the chance of each thing to be called otherwise than the voice does."""
    chain, product, matter, piece, spot, step, defect = _places(number)

    def name(thing: int, names: Sequence[str]) -> str:
        return names[(voice >> thing & 1) ^ (rnd.random() < other)]

    names, (metric, unit, gap) = DEFECTS[defect][:2], DEFECTS[defect][2:]
    made = name(0, PARTS[chain].split("|")[product].split())
    part = made + name(1, MATTERS[matter]) + name(2, PIECES[piece])

    def say(template: str) -> str:
        return template.format(
            part=part,
            spot=name(3, SPOTS[spot]),
            step=name(4, STEPS[step]),
            defect=name(5, names),
            metric=metric,
            unit=unit,
            value=rnd.randint(3, 900),
            n=rnd.randint(2, 9),
            p=rnd.randint(2, 40),
            month=rnd.randint(1, 12),
        )

    sentences = [say(rnd.choice(BEFORE) + rnd.choice(MAIN)), *map(say, rnd.sample(AFTER, rnd.randint(1, 3)))]
    if other and rnd.random() < 0.4:
        rnd.shuffle(sentences)
    return Made(number, voice, chain, made, say(rnd.choice(TITLES)), "".join(sentences), gap)


def _worn(text: str, rnd: random.Random) -> str:
    """Two neighbouring characters left out in every other text, as hasty people write."""
    if rnd.random() < 0.5 or len(text) < 12:
        return text
    place = rnd.randrange(len(text) - 2)
    return text[:place] + text[place + 2 :]
